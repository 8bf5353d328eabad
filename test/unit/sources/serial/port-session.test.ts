import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Handover } from '../../../../src/core/command.ts';
import { CommandBook } from '../../../../src/sources/serial/commands/command-book.ts';
import { createFraming } from '../../../../src/sources/serial/framing/create-framing.ts';
import { PortSession } from '../../../../src/sources/serial/port-session.ts';

const LINES = createFraming({ kind: 'lines', ending: 'lf', maxFrameBytes: 64 });
const BOOK = new CommandBook(
  'a',
  [
    {
      name: 'ask',
      write: 'ASK {params.x}',
      encoding: 'text',
      response: { kind: 'pattern', encoding: 'text', pattern: '^IS (?<x>.*)$' },
    },
  ],
  LINES,
);

let told: string[];
let session: PortSession;

beforeEach(() => {
  vi.useFakeTimers();
  told = [];
});

afterEach(() => {
  session.closed();
  vi.useRealTimers();
});

function open(readyAfterMs: number, device: string | null = 'lamp'): void {
  session = new PortSession({
    framing: LINES,
    port: {
      read: () => Promise.resolve(),
      write: async (bytes) => {
        told.push(`line ${bytes.toString().trimEnd()}`);
      },
      close: () => Promise.resolve(),
      caughtUp: () => Promise.resolve(),
    },
    taker: {
      heard: () => undefined,
      room: () => undefined,
      frame: (payload) => told.push(`frame ${payload}`),
      bad: () => undefined,
      answered: (result) => told.push(result),
    },
    speakers: { speaks: () => undefined, gone: () => undefined },
    device,
    commands: BOOK,
    readyAfterMs,
    onReachable: (reachable) => told.push(`reachable ${reachable}`),
  });
  session.opened();
}

function send(name = 'ask', params: unknown = { x: 1 }): Promise<Handover> {
  const command = { requestId: 'r', device: 'lamp', name, params, timeoutMs: 5_000, deadline: 0 };
  return session.send(command, (answer) => told.push(JSON.stringify(answer)));
}

const hear = (text: string): void => void session.take(Buffer.from(`${text}\n`));

describe('a port that is open', () => {
  it('takes commands, and gives their answers to who asked and to nobody else', async () => {
    open(0);
    expect(await send()).toBe('sent');
    hear('IS 7');
    hear('IS 8');
    expect(told).toEqual([
      'reachable lamp',
      'reachable lamp',
      'line ASK 1',
      'answer',
      '{"status":200,"result":{"x":7}}',
      'frame IS 8',
    ]);
  });

  it('takes none before its device can have begun', async () => {
    open(2_000);
    expect(await send()).toBe('unreachable');
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await send()).toBe('sent');
    expect(told).toEqual(['reachable lamp', 'reachable lamp', 'line ASK 1']);
  });

  it('takes them as soon as its device says something', async () => {
    open(60_000);
    hear('hello');
    expect(await send()).toBe('sent');
    expect(told).toEqual(['reachable lamp', 'reachable lamp', 'frame hello', 'line ASK 1']);
  });

  it('says at once what it will never take', async () => {
    open(60_000);
    await send('ask', null);
    await send('other');
    expect(told.slice(1)).toEqual([
      '{"status":400,"error":"params.x is missing","isUnsent":true}',
      '{"status":404,"error":"port a has no command other; it has ask","isUnsent":true}',
    ]);
  });

  it('is the way to the devices that its frames are of, each told when it is first heard', () => {
    open(0, null);
    for (const device of ['one', 'two', 'one']) session.speaksFor(device);
    expect(told).toEqual(['reachable one', 'reachable two']);
    expect(['one', 'two', 'three'].map((device) => session.isOf(device))).toEqual([true, true, false]);
  });
});
