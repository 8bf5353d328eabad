import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import type { LocalPacket, Qos } from '../../../../src/sources/mqtt/packet.ts';
import { Sessions } from '../../../../src/sources/mqtt/sessions.ts';

const online = new Set<string>();
const full: string[] = [];
const evicted: string[] = [];
let counter = 0;

function sessionsOf(limits: { maxSessions?: number; maxQueuedMessages?: number; maxQueuedBytes?: number } = {}) {
  const defaults = { maxSessions: 10, maxQueuedMessages: 10, maxQueuedBytes: 10_000 };
  return new Sessions(
    { ...defaults, ...limits },
    {
      isConnected: (clientId) => online.has(clientId),
      onQueueFull: (clientId) => full.push(clientId),
      onEvicted: (clientId) => evicted.push(clientId),
    },
  );
}

function message(topic: string, payload: string, qos: Qos = 1): LocalPacket {
  counter += 1;
  const fixed = { cmd: 'publish', brokerId: 'b', retain: true, dup: false, clientId: null } as const;
  return { ...fixed, brokerCounter: counter, topic, payload: Buffer.from(payload), qos };
}

function queued(sessions: Sessions, clientId: string): readonly string[] {
  const entries = sessions.queueOf(clientId)?.list() ?? [];
  return entries.map(({ cmd, packet }) => `${cmd} ${packet.payload} q${packet.qos}`);
}

beforeEach(() => {
  online.clear();
  full.length = 0;
  evicted.length = 0;
});

describe('sessions', () => {
  it('begin with their first connection and are resumed by the next', () => {
    const sessions = sessionsOf();
    expect(sessions.resume('a')).toBe(false);
    sessions.subscribe('a', { topic: 'x/#', qos: 1 });
    expect(sessions.resume('a')).toBe(true);
    expect(sessions.subscriptions('a')).toEqual([{ topic: 'x/#', qos: 1 }]);
    sessions.end('a');
    expect(sessions.resume('a')).toBe(false);
    expect(sessions.subscriptions('a')).toEqual([]);
  });

  it('keep one copy of a message, at the highest QoS of the subscriptions that match', () => {
    const sessions = sessionsOf();
    sessions.resume('a');
    sessions.subscribe('a', { topic: 'x/#', qos: 1 });
    sessions.subscribe('a', { topic: 'x/y', qos: 2 });
    sessions.enqueue(message('x/y', 'both', 2));
    sessions.enqueue(message('x/z', 'one', 2));
    sessions.enqueue(message('x/y', 'low', 1));
    expect(queued(sessions, 'a')).toEqual(['publish both q2', 'publish one q1', 'publish low q1']);
  });

  it('keep nothing for a subscription with QoS 0, nor for one that ended', () => {
    const sessions = sessionsOf();
    sessions.resume('a');
    sessions.subscribe('a', { topic: 'x', qos: 1 });
    sessions.subscribe('a', { topic: 'x', qos: 0 });
    sessions.subscribe('a', { topic: 'y', qos: 1 });
    sessions.unsubscribe('a', ['y']);
    sessions.enqueue(message('x', '1'));
    sessions.enqueue(message('y', '2'));
    expect(queued(sessions, 'a')).toEqual([]);
  });

  it('keep a message without the retain flag and without the chunk it was cut from', () => {
    const sessions = sessionsOf();
    sessions.resume('a');
    sessions.subscribe('a', { topic: 'x', qos: 1 });
    const chunk = Buffer.alloc(60_000, 'x');
    sessions.enqueue({ ...message('x', ''), payload: chunk.subarray(0, 5) });
    const kept = sessions.queueOf('a')?.list()[0]?.packet;
    expect(kept?.retain).toBe(false);
    expect(kept?.payload.toString()).toBe('xxxxx');
    expect(kept?.payload.buffer).not.toBe(chunk.buffer);
  });

  it('are bounded in messages each', () => {
    const sessions = sessionsOf({ maxQueuedMessages: 2 });
    for (const id of ['a', 'b']) sessions.resume(id);
    for (const id of ['a', 'b']) sessions.subscribe(id, { topic: 'x', qos: 1 });
    const first = message('x', '1');
    sessions.enqueue(first);
    sessions.enqueue(message('x', '2'));
    sessions.dequeue('b', { brokerCounter: first.brokerCounter });
    sessions.enqueue(message('x', '3'));
    expect(queued(sessions, 'a')).toEqual(['publish 1 q1', 'publish 2 q1']);
    expect(queued(sessions, 'b')).toEqual(['publish 2 q1', 'publish 3 q1']);
    expect(full).toEqual(['a']);
  });

  it('are bounded in bytes together, and what leaves makes room', () => {
    const sessions = sessionsOf({ maxQueuedBytes: 12 });
    for (const id of ['a', 'b']) sessions.resume(id);
    for (const id of ['a', 'b']) sessions.subscribe(id, { topic: 'x', qos: 1 });
    sessions.enqueue(message('x', '12345'));
    sessions.enqueue(message('x', '6'));
    expect(full).toEqual(['a', 'b']);
    sessions.end('a');
    sessions.enqueue(message('x', '78901'));
    expect(queued(sessions, 'b')).toEqual(['publish 12345 q1', 'publish 78901 q1']);
  });

  it('are bounded in number: the one that is away for longest is given up', () => {
    const sessions = sessionsOf({ maxSessions: 2 });
    sessions.resume('connected');
    online.add('connected');
    sessions.resume('away');
    sessions.subscribe('away', { topic: 'x', qos: 1 });
    sessions.resume('new');
    expect(evicted).toEqual(['away']);
    sessions.enqueue(message('x', '1'));
    expect(sessions.resume('away')).toBe(false);
  });
});

describe('the queue of a session', () => {
  function queueWith(...payloads: readonly string[]) {
    const sessions = sessionsOf();
    sessions.resume('a');
    sessions.subscribe('a', { topic: 'x', qos: 2 });
    const messages = payloads.map((payload) => message('x', payload, 2));
    for (const one of messages) sessions.enqueue(one);
    const places = messages.map(({ brokerCounter }) => brokerCounter);
    return { sessions, places };
  }

  it('forgets a message when its packet id is acknowledged', () => {
    const { sessions, places } = queueWith('1', '2');
    sessions.queueOf('a')?.sent(places[1] ?? 0, 50);
    expect(sessions.dequeue('a', { messageId: 50 })?.payload.toString()).toBe('2');
    expect(sessions.dequeue('a', { messageId: 50 })).toBeUndefined();
    expect(queued(sessions, 'a')).toEqual(['publish 1 q2']);
  });

  it('holds PUBREL in the place of a message that was received', () => {
    const { sessions, places } = queueWith('1', '2');
    sessions.queueOf('a')?.sent(places[0] ?? 0, 50);
    sessions.queueOf('a')?.released(50);
    expect(queued(sessions, 'a')).toEqual(['pubrel 1 q2', 'publish 2 q2']);
    sessions.dequeue('a', { messageId: 50 });
    expect(queued(sessions, 'a')).toEqual(['publish 2 q2']);
  });

  it('knows a message by its newest packet id only', () => {
    const { sessions, places } = queueWith('1');
    sessions.queueOf('a')?.sent(places[0] ?? 0, 50);
    sessions.queueOf('a')?.sent(places[0] ?? 0, 51);
    expect(sessions.dequeue('a', { messageId: 50 })).toBeUndefined();
    expect(sessions.dequeue('a', { messageId: 51 })?.payload.toString()).toBe('1');
  });
});
