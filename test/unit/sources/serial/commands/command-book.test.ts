import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Command } from '../../../../../src/core/command.ts';
import { StructLayout } from '../../../../../src/core/struct-layout.ts';
import { CommandBook } from '../../../../../src/sources/serial/commands/command-book.ts';
import type { CommandOptions } from '../../../../../src/sources/serial/commands/options.ts';
import { createFraming } from '../../../../../src/sources/serial/framing/create-framing.ts';
import type { Framing } from '../../../../../src/sources/serial/framing/framing.ts';
import { CHECKED, FRAMINGS, framingOf } from '../../../../support/framings.ts';

const LINES = createFraming({ kind: 'lines', ending: 'lf', maxFrameBytes: 64 });

function commandOf(name: string, params: unknown): Command {
  return { requestId: 'r1', device: 'lamp', name, params, timeoutMs: 5_000, deadline: 0 };
}

function book(options: Partial<CommandOptions>, framing: Framing = LINES): CommandBook {
  return new CommandBook('a', [{ name: 'do', write: '', encoding: 'text', ...options }], framing);
}

/** What stands on the line, or why nothing does. */
function written(options: Partial<CommandOptions>, params: unknown, framing = LINES): string {
  const planned = book(options, framing).plan(commandOf('do', params));
  return 'order' in planned
    ? planned.order.bytes.toString('latin1')
    : `${planned.refusal.status} ${planned.refusal.error}`;
}

function framesIn(framing: Framing, line: Buffer): string[] {
  const frames: string[] = [];
  const decoder = framing.decoder({
    good: (payload) => frames.push(payload.toString('latin1')),
    bad: (reason) => frames.push(`bad ${reason}`),
  });
  decoder.feed(line);
  decoder.gap();
  return frames;
}

describe('a command to a serial port', () => {
  it.each<[string, Partial<CommandOptions>, unknown, string]>([
    ['text', { write: 'SET {params.level}' }, { level: 3 }, 'SET 3\n'],
    ['JSON', { write: { id: '{request_id}', set: '{params.x}' } }, { x: 'a"\n' }, '{"id":"r1","set":"a\\"\\n"}\n'],
    ['hexadecimal digits', { write: '41 {params.hex}', encoding: 'hex' }, { hex: '4243' }, 'ABC\n'],
    ['base64', { write: '{params.data}', encoding: 'base64' }, { data: 'QUJD' }, 'ABC\n'],
    ['values of a layout', { write: [65, '{params.n}', 'x'], layout: '>BH1s' }, { n: 0x4243 }, 'ABCx\n'],
  ])('is written as %s, framed', (_, options, params, line) => {
    expect(written(options, params)).toBe(line);
  });

  it.each<[string, Partial<CommandOptions>, unknown, string]>([
    ['lacks a value', { write: '{params.level}' }, {}, '400 params.level is missing'],
    [
      'has a line end in a value',
      { write: '{params.x}' },
      { x: '1\nREBOOT' },
      '400 params.x has a control character in it',
    ],
    ['is no hexadecimal', { write: '{params.x}', encoding: 'hex' }, { x: '4' }, '400 what would be written is not hex'],
    [
      'is no base64',
      { write: '{params.x}', encoding: 'base64' },
      { x: 'A' },
      '400 what would be written is not base64',
    ],
    [
      'has a value that is too large',
      { write: ['{params.n}'], layout: '<B' },
      { n: 256 },
      '400 value 1 must be a whole number from 0 to 255',
    ],
    [
      'has a delimiter in its bytes',
      { write: '410a', encoding: 'hex' },
      null,
      '400 the framing of port a cannot carry these 2 bytes',
    ],
    ['is too long', { write: 'x'.repeat(64) }, null, '400 the framing of port a cannot carry these 64 bytes'],
    ['is empty', { write: '{params.x}' }, { x: '' }, '400 the framing of port a cannot carry these 0 bytes'],
  ])('that %s is answered, and not written', (_, options, params, problem) => {
    expect(written(options, params)).toContain(problem);
  });

  it('that its port does not have is answered with those that it has', () => {
    expect(book({}).refusal(commandOf('dim', null))).toEqual({
      status: 404,
      error: 'port a has no command dim; it has do',
      isUnsent: true,
    });
    expect(book({ write: 'x' }).refusal(commandOf('do', null))).toBeUndefined();
  });

  it('of a binary sketch comes out of our own decoder as it went in', () => {
    const framing = createFraming({
      kind: 'cobs',
      maxFrameBytes: 64,
      check: { type: 'crc16-ccitt', place: 'end', order: 'little', form: 'binary' },
    });
    const line = Buffer.from(
      written({ write: [0, '{params.n}', '{params.x}'], layout: '<BHf' }, { n: 0, x: -2.5 }, framing),
      'latin1',
    );
    const [frame = ''] = framesIn(framing, line);
    expect(new StructLayout('<BHf').read(Buffer.from(frame, 'latin1'))).toEqual([0, 0, -2.5]);
  });

  // Whatever somebody sends as a parameter: it is refused, or one frame.
  it.each([...FRAMINGS, ...CHECKED])('is one frame, or none, of $name', (subject) => {
    const framing = framingOf(subject);
    const marks = [
      '\n',
      '\r\n',
      '\r',
      '\0',
      '##!',
      '$',
      '*',
      '<',
      '\u0002',
      '\u0003',
      '\u00c0',
      '\u00db',
      '\u00aaU',
      'x',
    ];
    const smuggled = fc.array(fc.oneof(fc.constantFrom(...marks), fc.string({ unit: 'binary', maxLength: 12 })), {
      maxLength: 6,
    });
    const templates: readonly Partial<CommandOptions>[] = [
      { write: '{params.x}' },
      { write: { x: '{params.x}' } },
      { write: ['{params.x}'], layout: '<22s' },
      { write: '{params.hex}', encoding: 'hex' },
    ];
    fc.assert(
      fc.property(smuggled, fc.constantFrom(...templates), (parts, template) => {
        const x = parts.join('');
        const line = written(template, { x, hex: Buffer.from(x).toString('hex') }, framing);
        if (!line.startsWith('400 ')) expect(framesIn(framing, Buffer.from(line, 'latin1'))).toHaveLength(1);
      }),
      { numRuns: 200 },
    );
  });
});
