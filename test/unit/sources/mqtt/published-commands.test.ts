import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { COMMAND_LIMITS, CommandDesk } from '../../../../src/devices/commands/command-desk.ts';
import {
  type HeardMessage,
  PublishedCommands,
  type RefusedCommand,
} from '../../../../src/sources/mqtt/published-commands.ts';
import { FakeSink } from '../../../support/fake-sink.ts';
import { MemoryLogger } from '../../../support/memory-logger.ts';

let desk: CommandDesk;
let port: FakeSink;
let subscribers: FakeSink;
let published: PublishedCommands;
let refused: RefusedCommand[];
/** What was said on `devices/lamp/responses/`, by request id. */
let answers: [requestId: string, answer: unknown][];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] });
  desk = new CommandDesk({ clock: { now: Date.now, monotonic: () => performance.now() }, logger: new MemoryLogger() });
  subscribers = new FakeSink();
  port = new FakeSink();
  for (const sink of [subscribers, port]) {
    desk.addSink(sink);
    sink.reached.add('lamp');
  }
  port.taken.add('lamp');
  refused = [];
  answers = [];
  published = new PublishedCommands({
    door: desk,
    publish: ({ topic, payload, qos }) => {
      expect([topic.startsWith('devices/lamp/responses/'), qos]).toEqual([true, 1]);
      answers.push([topic.slice('devices/lamp/responses/'.length), JSON.parse(payload)]);
    },
    onRefused: (one) => refused.push(one),
  });
});

afterEach(() => {
  vi.useRealTimers();
});

interface Sent extends Partial<HeardMessage> {
  readonly id?: string;
  readonly params?: unknown;
}

const settle = () => vi.advanceTimersByTimeAsync(0);

/** Publishes, and waits until nothing moves. */
async function publish({ id, params = { level: 40 }, ...changes }: Sent = {}): Promise<void> {
  const payload = Buffer.from(JSON.stringify({ params, request_id: id }));
  const topic = 'devices/lamp/commands/dim';
  const common = { clientId: 'node-red', identity: null, retain: false, isRepetition: false };
  published.heard({ ...common, topic, payload, ...changes });
  await settle();
}

async function answered(answer: { status: number; result?: unknown; error?: string }): Promise<void> {
  port.answer(answer);
  await settle();
}

const sentIds = () => port.sent.map(({ requestId }) => requestId);

describe('commands that clients publish', () => {
  it('go to the ways that take them, past MQTT, and their answers to subscribers', async () => {
    await publish({ id: 'r1' });
    expect(subscribers.offeredCount).toBe(0);
    expect(port.sent).toMatchObject([
      { requestId: 'r1', device: 'lamp', name: 'dim', params: { level: 40 }, timeoutMs: 5_000 },
    ]);
    expect(answers).toEqual([]);
    await answered({ status: 200, result: { level: 40 } });
    expect(answers).toEqual([['r1', { status: 200, result: { level: 40 } }]]);
    expect(desk.get('r1')).toMatchObject({ state: 'done' });
    expect(desk.counts().finished).toMatchObject({ done: 1 });
  });

  it('are answered under an id of ours, when they have none', async () => {
    await publish({ payload: Buffer.alloc(0) });
    await answered({ status: 202 });
    expect(answers).toEqual([[expect.stringMatching(/^[0-9a-f]{32}$/), { status: 202, result: null }]]);
    expect(port.sent).toMatchObject([{ params: null }]);
  });

  it.each([
    ['to a device that no way takes', { topic: 'devices/pump/commands/dim' }],
    ['on another topic', { topic: 'devices/lamp/telemetry' }],
    ['on a foreign topic', { topic: 'house/lamp/commands/dim' }],
    ['that removes a retained one', { payload: Buffer.alloc(0), retain: true }],
  ])('are none %s', async (_, changes) => {
    await publish(changes);
    expect([port.sent, refused, published.refusedCounts]).toEqual([[], [], {}]);
  });

  it('are run when they are retained', async () => {
    await publish({ id: 'r1', retain: true });
    expect(sentIds()).toEqual(['r1']);
  });

  it.each([
    [
      { status: 500, error: 'too bright' },
      { status: 500, error: 'too bright' },
    ],
    [{ status: 404 }, { status: 404, result: null }],
    [
      { status: 409, result: { level: 1 }, error: 'is on' },
      { status: 409, result: { level: 1 }, error: 'is on' },
    ],
  ])('that fail with %j are answered so', async (answer, told) => {
    await publish({ id: 'r1' });
    await answered(answer);
    expect(answers).toEqual([['r1', told]]);
  });

  it('say when their time is over, and whether they may have been run', async () => {
    await publish({ id: 'sent' });
    port.reached.clear();
    await publish({ id: 'unsent' });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(answers).toEqual([
      ['sent', { status: 504, error: 'not answered in time; it may have been run all the same' }],
      ['unsent', { status: 504, error: 'the device was not reached in time; it was not sent and never will be' }],
    ]);
  });

  it('say when somebody cancelled them, and when the gateway stops', async () => {
    await publish({ id: 'r1' });
    desk.cancel('r1');
    await publish({ id: 'r2' });
    desk.stop();
    await publish({ id: 'r3' });
    expect(answers).toEqual([
      ['r1', { status: 409, error: 'cancelled; it may have been run all the same' }],
      ['r3', { status: 503, error: 'the gateway stops' }],
      ['r2', { status: 503, error: 'the gateway stops and forgets it; it may have been run all the same' }],
    ]);
  });

  it('that come again are not run again, but answered again', async () => {
    await publish({ id: 'r1' });
    await publish({ id: 'r1', isRepetition: true });
    await publish({ id: 'r1' });
    await answered({ status: 200, result: 1 });
    expect([sentIds(), answers]).toEqual([['r1'], [['r1', { status: 200, result: 1 }]]]);
    await publish({ id: 'r1', isRepetition: true });
    expect([sentIds(), answers.length, answers[1]]).toEqual([['r1'], 2, ['r1', { status: 200, result: 1 }]]);
    expect([published.refusedCounts, refused]).toEqual([{ repeated: 3 }, []]);
  });

  it('are not run under the id of another one', async () => {
    await publish({ id: 'r1' });
    await publish({ id: 'r1', params: { level: 41 } });
    await publish({ id: 'r1', topic: 'devices/lamp/commands/off' });
    expect(sentIds()).toEqual(['r1']);
    expect(answers.map(([id, answer]) => [id, (answer as { status: number }).status])).toEqual([
      ['r1', 409],
      ['r1', 409],
    ]);
    expect(refused.map(({ reason }) => reason)).toEqual(['request_id_used', 'request_id_used']);
  });

  it.each([undefined, 'r1'])('that repeat what nobody knows are not run, with the id %s', async (id) => {
    await publish(id === undefined ? { isRepetition: true } : { id, isRepetition: true });
    expect(port.sent).toEqual([]);
    expect(published.refusedCounts).toEqual({ unknown_repetition: 1 });
    expect(answers).toEqual(
      id === undefined ? [] : [['r1', { status: 409, error: expect.stringMatching(/publish it anew$/) }]],
    );
  });

  it('are answered with what is wrong, and told of', async () => {
    await publish({ payload: Buffer.from('{"request_id":"r1","level":40}') });
    await publish({ payload: Buffer.from('ON') });
    expect(answers).toEqual([['r1', { status: 400, error: expect.stringMatching(/^"level" is unknown/) }]]);
    expect(refused).toMatchObject([
      { clientId: 'node-red', topic: 'devices/lamp/commands/dim', reason: 'unknown_member' },
      { reason: 'not_json', error: 'the payload is no JSON: publish an object, or nothing' },
    ]);
    expect(published.refusedCounts).toEqual({ unknown_member: 1, not_json: 1 });
  });

  it('are answered with what is too much', async () => {
    for (let i = 0; i < COMMAND_LIMITS.unfinishedPerDevice; i += 1) await publish();
    await publish({ id: 'one-more' });
    await publish({ id: 'large', params: 'x'.repeat(65_536) });
    await publish({ id: 'deep', params: JSON.parse('['.repeat(65) + ']'.repeat(65)) });
    expect(answers).toEqual([
      ['one-more', { status: 429, error: expect.stringMatching(/^32 commands of this device wait/) }],
      ['large', { status: 413, error: expect.stringMatching(/too large/) }],
      ['deep', { status: 413, error: expect.stringMatching(/too deeply/) }],
    ]);
    expect(published.refusedCounts).toEqual({ too_many_commands: 1, command_too_large: 2 });
  });
});
