import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Table } from '../../../../../src/core/modbus.ts';
import { type Answer, AnswerDecoder } from '../../../../../src/sources/serial/modbus/answer-decoder.ts';
import { CHECKSUM, type Request, readRequest, type Span } from '../../../../../src/sources/serial/modbus/request.ts';

const THREE: Span = { table: 'holding', address: 0x6b, count: 3 };
const REQUEST = readRequest(0x11, THREE);
const framed = (hex: string) => CHECKSUM.append(Buffer.from(hex, 'hex'));
const GOOD = framed('110306ae415652d340');
const DATA = 'data ae415652d340';

interface Heard {
  readonly answer: string | undefined;
  readonly bad: readonly string[];
}

/** What is heard of the pieces; the last word is the end of the waiting. */
function hear(request: Request, pieces: readonly Buffer[], mayEcho = false): Heard {
  const bad: string[] = [];
  const onBad = (reason: string, bytes: Buffer) => bad.push(`${reason} ${bytes.toString('hex')}`);
  const decoder = new AnswerDecoder(request, { onBad, mayEcho });
  for (const piece of pieces) {
    const answer = decoder.feed(piece);
    if (answer !== undefined) return { answer: textOf(answer), bad };
  }
  const last = decoder.finish();
  return { answer: last && textOf(last), bad };
}

function textOf(answer: Answer): string {
  return answer.kind === 'data' ? `data ${answer.data.toString('hex')}` : `exception ${answer.code}`;
}

const bytes = (hex: string) => Buffer.from(hex, 'hex');

describe('a Modbus request', () => {
  // Those of the specification, with the checksums that other masters send.
  it.each([
    ['holding', 0x6b, 3, '1103006b00037687'],
    ['coil', 0x13, 37, '110100130025' + '0e84'],
    ['discrete', 0xc4, 22, '110200c40016' + 'baa9'],
    ['input', 8, 1, '110400080001' + 'b298'],
  ] as const)('reads %s as the specification has it', (table, address, count, line) => {
    expect(readRequest(0x11, { table, address, count }).bytes.toString('hex')).toBe(line);
  });

  it.each([
    ['coil', 37, 3 + 5 + 2],
    ['coil', 2_000, 3 + 250 + 2],
    ['input', 125, 3 + 250 + 2],
  ] as const)('knows how long the answer to %s times %d is', (table, count, length) => {
    expect(readRequest(1, { table, address: 0, count }).answerLength).toBe(length);
  });
});

describe('the answer to a Modbus request', () => {
  it('is what the device has, or its exception', () => {
    expect(hear(REQUEST, [GOOD])).toEqual({ answer: DATA, bad: [] });
    expect(hear(REQUEST, [framed('118302')])).toEqual({ answer: 'exception 2', bad: [] });
  });

  it.each([
    ['another unit', framed('120306ae415652d340')],
    ['another function', framed('110406ae415652d340')],
    ['another count, as of the request before', framed('110302ae41')],
    ['an exception to another function', framed('118402')],
    ['the request itself, as an adapter with an echo has it', REQUEST.bytes],
  ])('is not that of %s, and the one behind it is found', (_, other) => {
    expect(hear(REQUEST, [other])).toEqual({
      answer: undefined,
      bad: [expect.stringContaining(other.toString('hex'))],
    });
    expect(hear(REQUEST, [other, GOOD])).toMatchObject({ answer: DATA, bad: [expect.stringMatching(/^noise/)] });
  });

  it('with a wrong checksum is bad, and so is one that breaks off', () => {
    const wrong = Buffer.from(GOOD);
    wrong[4] = 0;
    expect(hear(REQUEST, [wrong])).toEqual({ answer: undefined, bad: [`checksum ${wrong.toString('hex')}`] });
    expect(hear(REQUEST, [wrong, GOOD])).toMatchObject({ answer: DATA });
    expect(hear(REQUEST, [GOOD.subarray(0, 7)])).toEqual({ answer: undefined, bad: ['incomplete 110306ae415652'] });
  });

  it('is found at the end of the waiting behind a beginning that does not go on', () => {
    expect(hear(REQUEST, [bytes('110306'), framed('118302')])).toEqual({
      answer: 'exception 2',
      bad: ['incomplete 110306'],
    });
  });

  it('is not the request that an adapter hands back, though one may look like the other', () => {
    // Its answer is as long, and begins with the same three bytes.
    const request = readRequest(1, { table: 'coil', address: 0x0300, count: 20 });
    const echo = request.bytes;
    const noise = `noise ${echo.toString('hex')}`;
    const other = framed('010103ffff0f');
    expect(hear(request, [echo], true)).toEqual({ answer: undefined, bad: [noise] });
    expect(hear(request, [echo, other], true)).toEqual({ answer: 'data ffff0f', bad: [noise] });
    expect(hear(request, [echo.subarray(0, 3), echo.subarray(3), echo], true)).toEqual({
      answer: 'data 000014',
      bad: [noise],
    });
    expect(hear(request, [echo], false)).toEqual({ answer: 'data 000014', bad: [] });
  });

  it('is not a part of a longer answer that looks like an exception', () => {
    const request = readRequest(0x11, { ...THREE, count: 4 });
    const inside = framed('118302');
    const whole = CHECKSUM.append(Buffer.concat([bytes('110308'), inside, bytes('000000')]));
    const answer = `data ${whole.subarray(3, -2).toString('hex')}`;
    for (let cut = 0; cut < whole.length; cut += 1) {
      expect(hear(request, [whole.subarray(0, cut), whole.subarray(cut)])).toEqual({ answer, bad: [] });
    }
  });
});

const TABLES: readonly Table[] = ['coil', 'discrete', 'holding', 'input'];
const span = fc.record({
  table: fc.constantFrom(...TABLES),
  address: fc.integer({ min: 0, max: 0xffff }),
  count: fc.integer({ min: 1, max: 125 }),
});
const unit = fc.integer({ min: 1, max: 247 });

/** The bytes, cut anywhere. */
function cutAt(line: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set([0, ...cuts.map((cut) => cut % (line.length + 1)), line.length])].sort((a, b) => a - b);
  return ends.slice(1).map((end, index) => line.subarray(ends[index], end));
}

describe('any answer', () => {
  it('is found behind any garbage, wherever the line is cut', () => {
    const garbage = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(
        unit,
        span,
        garbage,
        fc.array(fc.nat(600)),
        fc.uint8Array({ minLength: 250, maxLength: 250 }),
        (...given) => {
          const [of, asked, before, cuts, values] = given;
          const request = readRequest(of, asked);
          const data = Buffer.from(values.subarray(0, request.answerLength - 5));
          const line = Buffer.concat([before, CHECKSUM.append(Buffer.concat([request.head, data]))]);
          expect(hear(request, cutAt(line, cuts)).answer).toBe(`data ${data.toString('hex')}`);
        },
      ),
    );
  });

  it('is found behind the beginnings of others, late answers, and damaged ones', () => {
    const request = readRequest(0x11, THREE);
    const confusing = fc.array(
      fc.constantFrom(
        bytes('11'),
        bytes('1103'),
        bytes('110306'),
        bytes('1183'),
        REQUEST.bytes,
        GOOD.subarray(0, 9),
        framed('110302ae41'),
        framed('120306ae415652d340'),
        framed('118402'),
      ),
      { maxLength: 12 },
    );
    const good = framed('1103060102030405fe');
    fc.assert(
      fc.property(confusing, fc.array(fc.nat(200)), (before, cuts) => {
        const line = Buffer.concat([...before, good]);
        expect(hear(request, cutAt(line, cuts)).answer).toBe('data 0102030405fe');
      }),
    );
  });

  it('is never made of noise', () => {
    fc.assert(
      fc.property(unit, span, fc.array(fc.uint8Array({ maxLength: 400 })), (of, asked, chunks) => {
        const request = readRequest(of, asked);
        const line = Buffer.concat(chunks);
        const { answer } = hear(
          request,
          chunks.map((chunk) => Buffer.from(chunk)),
        );
        if (answer === undefined) return;
        const payload = answer.startsWith('data')
          ? CHECKSUM.append(Buffer.concat([request.head, bytes(answer.slice(5))]))
          : CHECKSUM.append(Buffer.from([of, (request.head[1] ?? 0) | 0x80, Number(answer.slice(10))]));
        expect(line.includes(payload)).toBe(true);
      }),
    );
  });
});
