import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommandAnswer } from '../../../../../src/core/command.ts';
import { Answers } from '../../../../../src/sources/serial/answers.ts';
import { Conversation } from '../../../../../src/sources/serial/commands/conversation.ts';
import { type Response, responseOf } from '../../../../../src/sources/serial/commands/response.ts';

const PLAIN = responseOf({ kind: 'pattern', encoding: 'text', pattern: '^OK (?<n>.*)$' });
const NAMED = responseOf({ kind: 'pattern', encoding: 'text', pattern: '^(?<request_id>r\\d+)=(?<n>.*)$' });
/** More than what is remembered of an answer that does not come. */
const LONG_MS = 3_000;

let line: string[];
let told: string[];
/** Writes wait for it. */
let gate: Promise<void>;
let answers: Answers;
let conversation: Conversation;

beforeEach(() => {
  vi.useFakeTimers();
  line = [];
  told = [];
  gate = Promise.resolve();
  const port = {
    write: async (bytes: Buffer) => {
      line.push(`<${bytes}`);
      await gate;
      line.push(`${bytes}>`);
    },
  };
  answers = new Answers(port);
  conversation = new Conversation({ writer: answers, onAnswer: (result) => told.push(result) });
});

afterEach(() => {
  conversation.close();
  vi.useRealTimers();
});

function send(requestId: string, response: Response | null = PLAIN, timeoutMs = 60_000): void {
  const command = { requestId, device: 'd', name: 'n', params: null, timeoutMs, deadline: 0 };
  const onAnswer = (answer: CommandAnswer) => told.push(`${requestId} ${JSON.stringify(answer)}`);
  const handover = conversation.send(
    { command, bytes: Buffer.from(requestId), response: response ?? undefined },
    onAnswer,
  );
  void handover.then((how) => told.push(`${requestId} ${how}`));
}

const settled = () => vi.advanceTimersByTimeAsync(0);
const hear = (frame: string): boolean => conversation.take(Buffer.from(frame));
const begun = (): string[] => line.filter((each) => each.startsWith('<')).map((each) => each.slice(1));

describe('commands on a serial line', () => {
  it('are answered by the frame that fits, which is no message then; another one is', async () => {
    send('r1');
    await settled();
    expect(hear('celsius 21')).toBe(false);
    expect(hear('OK 7')).toBe(true);
    expect(hear('OK 8')).toBe(false);
    expect(told).toEqual(['r1 sent', 'answer', 'r1 {"status":200,"result":{"n":7}}']);
  });

  it('are done when they are written where nobody answers', async () => {
    send('r1', null);
    await settled();
    expect(told).toEqual(['r1 {"status":202}', 'r1 sent']);
  });

  it('wait in order where only that says what an answer belongs to', async () => {
    for (const id of ['r1', 'r2', 'r3']) send(id);
    await settled();
    expect(begun()).toEqual(['r1']);
    hear('OK 1');
    await settled();
    hear('OK 2');
    await settled();
    expect(begun()).toEqual(['r1', 'r2', 'r3']);
    expect(told.filter((each) => each.includes('{'))).toEqual([
      'r1 {"status":200,"result":{"n":1}}',
      'r2 {"status":200,"result":{"n":2}}',
    ]);
  });

  it('do not wait for each other where answers say what they belong to', async () => {
    send('r1', NAMED);
    send('r2', NAMED);
    await settled();
    expect(begun()).toEqual(['r1', 'r2']);
    hear('r2=b');
    hear('r1=a');
    expect(hear('r3=c')).toBe(false);
    expect(told.filter((each) => each.includes('{'))).toEqual([
      'r2 {"status":200,"result":{"n":"b"}}',
      'r1 {"status":200,"result":{"n":"a"}}',
    ]);
  });

  it('never have their bytes mixed with each other or with acknowledgements', async () => {
    const open = Promise.withResolvers<void>();
    gate = open.promise;
    answers.write(Buffer.from('ack1'));
    send('r1', NAMED);
    answers.write(Buffer.from('ack2'));
    send('r2', NAMED);
    await settled();
    expect(line).toEqual(['<ack1']);
    open.resolve();
    await settled();
    expect(line).toEqual(['ack1', 'r1', 'ack2', 'r2'].flatMap((each) => [`<${each}`, `${each}>`]));
  });

  it('are never written when their time is over before their turn has come', async () => {
    const open = Promise.withResolvers<void>();
    send('r1', PLAIN, 10_000);
    send('r2', PLAIN, 500);
    await vi.advanceTimersByTimeAsync(600);
    hear('OK 1');
    gate = open.promise;
    answers.write(Buffer.from('ack'));
    send('r3', PLAIN, 500);
    await vi.advanceTimersByTimeAsync(600);
    open.resolve();
    await settled();
    expect(begun()).toEqual(['r1', 'ack']);
    expect(told).toEqual(expect.arrayContaining(['r2 unreachable', 'r3 unreachable']));
  });

  it('leave the line alone for a moment when no answer came, so that a late one is not taken for the next', async () => {
    send('r1', PLAIN, 500);
    send('r2');
    await vi.advanceTimersByTimeAsync(700);
    expect(hear('OK late')).toBe(true);
    await settled();
    expect(begun()).toEqual(['r1', 'r2']);
    hear('OK 2');
    expect(told).toEqual(['r1 sent', 'late_answer', 'r2 sent', 'answer', 'r2 {"status":200,"result":{"n":2}}']);
  });

  it('go on behind one whose answer never comes', async () => {
    send('r1', PLAIN, 500);
    send('r2');
    await vi.advanceTimersByTimeAsync(500 + LONG_MS);
    expect(begun()).toEqual(['r1', 'r2']);
  });

  it('that were cancelled are not written, and their answers are let go', async () => {
    send('r1');
    send('r2');
    await settled();
    conversation.forget('r2');
    conversation.forget('r1');
    expect(hear('OK 1')).toBe(true);
    await vi.advanceTimersByTimeAsync(LONG_MS);
    expect(begun()).toEqual(['r1']);
    expect(told).toEqual(['r1 sent', 'late_answer', 'r2 unreachable']);
  });

  it('are unreachable when the port is closed, but for what was written, which nobody answers', async () => {
    send('r1');
    send('r2');
    await settled();
    conversation.close();
    send('r3');
    await settled();
    expect(told).toEqual(['r1 sent', 'r2 unreachable', 'r3 unreachable']);
    expect(begun()).toEqual(['r1']);
  });

  it('say nothing of a write in whose middle the port went', async () => {
    gate = Promise.reject(new Error('gone'));
    gate.catch(() => undefined);
    send('r1', null);
    await settled();
    conversation.close();
    await settled();
    expect(told).toEqual(['r1 sent']);
  });

  it('are not kept without a bound', async () => {
    for (let n = 1; n <= 33; n += 1) send(`r${n}`);
    await settled();
    expect(told.filter((each) => each.includes('503'))).toEqual([
      'r33 {"status":503,"error":"too many commands wait for this port","isUnsent":true}',
    ]);
  });
});
