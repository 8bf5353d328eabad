import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { type BrokerSessions, brokerSessions, FakeLink } from '../../../support/broker-sessions.ts';
import { FakeSessionStore } from '../../../support/fake-session-store.ts';

type Limits = Parameters<typeof brokerSessions>[0];

async function subscribed(clientIds: readonly string[], limits: Limits = {}) {
  const subject = brokerSessions(limits);
  for (const clientId of clientIds) {
    await subject.sessions.resume(clientId, '');
    await subject.sessions.subscribe(clientId, [{ topic: 'x', qos: 2 }]);
  }
  return subject;
}

/** The broker of the next start, on what the last one left. */
async function restarted({ store }: BrokerSessions, limits: Limits = {}): Promise<BrokerSessions> {
  const next = brokerSessions(limits, store.reopened());
  next.sessions.restore(await next.store.loadSessions(0, 1_000));
  next.sessions.restored();
  next.sessions.messages.restore((await next.store.loadQueues({ place: 0, session: 0 }, 1_000)).messages);
  return next;
}

describe('sessions', () => {
  it('begin with their first connection and are resumed by the next', async () => {
    const { sessions } = brokerSessions();
    expect(await sessions.resume('a', '')).toBe(false);
    await sessions.subscribe('a', [{ topic: 'x/#', qos: 1 }]);
    expect(await sessions.resume('a', '')).toBe(true);
    expect(sessions.subscriptions('a')).toEqual([{ topic: 'x/#', qos: 1 }]);
    await sessions.end('a');
    expect(await sessions.resume('a', '')).toBe(false);
    expect(sessions.subscriptions('a')).toEqual([]);
  });

  it('answer only when what they answer is on disk', async () => {
    const store = new FakeSessionStore();
    const { promise, resolve } = Promise.withResolvers<void>();
    store.beforeSave = () => promise;
    const { sessions } = brokerSessions({}, store);
    const answered: string[] = [];
    const all = [
      sessions.resume('a', '').then(() => answered.push('began')),
      sessions.subscribe('a', [{ topic: 'x', qos: 1 }]).then(() => answered.push('subscribed')),
      sessions.subscribe('a', [{ topic: 'x', qos: 1 }]).then(() => answered.push('subscribed again')),
      sessions.resume('a', '').then(() => answered.push('resumed')),
      sessions.unsubscribe('a', ['x']).then(() => answered.push('unsubscribed')),
      sessions.end('a').then(() => answered.push('ended')),
    ];
    await new Promise(setImmediate);
    expect(answered).toEqual([]);
    resolve();
    await Promise.all(all);
    expect(answered).toHaveLength(6);
    expect(store.saved).toEqual(['begin', 'subscribe', 'unsubscribe', 'end']);
  });

  it('acknowledge nothing any more after a write that failed, also when a later one would not', async () => {
    const store = new FakeSessionStore();
    store.beforeSave = () => Promise.reject(new Error('the store is gone'));
    const { sessions } = brokerSessions({}, store);
    await expect(sessions.resume('a', '')).rejects.toThrow('gone');
    store.beforeSave = () => Promise.resolve();
    for (const attempt of [
      () => sessions.resume('b', ''),
      () => sessions.resume('a', ''),
      () => sessions.subscribe('a', [{ topic: 'x', qos: 1 }]),
      () => sessions.subscribe('a', [{ topic: 'x', qos: 1 }]),
    ]) {
      await expect(attempt()).rejects.toThrow('gone');
    }
    expect(store.saved).toEqual([]);
  });

  it('are as they were after a restart: subscriptions, queues, packet ids, and what was received', async () => {
    const before = await subscribed(['a']);
    const [one, two] = await Promise.all(['1', '2', '3'].map((text) => before.publish('x', text, 2)));
    await before.sessions.messages.released('a', one?.[0]?.packetId ?? 0);
    before.sessions.messages.acknowledged('a', two?.[0]?.packetId ?? 0);
    await before.journal.stop();
    const after = await restarted(before);
    expect(await after.sessions.resume('a', '')).toBe(true);
    expect(after.sessions.subscriptions('a')).toEqual([{ topic: 'x', qos: 2 }]);
    expect(after.queued('a')).toEqual(['pubrel #1', 'publish 3 q2 #3']);
    await after.publish('x', '4');
    const link = new FakeLink();
    after.sessions.attach('a', link);
    expect(link.sent).toEqual(['pubrel #1', 'publish 3 #3 dup', 'publish 4 #4']);
  });

  it('hold back what is behind a message whose content is awaited, and send each once when it is there', async () => {
    const before = await subscribed(['a']);
    for (const payload of ['1', '2', '3', '4']) await before.publish('x', payload);
    const { messages } = await before.store.loadQueues({ place: 0, session: 0 }, 10);
    const missing = messages.map((message, index) => (index % 2 === 1 ? { ...message, content: null } : message));
    const after = await subscribed(['a']);
    const { messages: queues } = after.sessions;
    const ids = messages.map((message) => ({ ...message, session: 1 }));
    expect(queues.restore(missing.map((message) => ({ ...message, session: 1 })))).toBe(true);
    const link = new FakeLink();
    after.sessions.attach('a', link);
    expect(link.sent).toEqual(['publish 1 #1 dup']);
    queues.acknowledged('a', 1);
    await after.publish('x', '5');
    queues.complete(ids.slice(0, 3));
    expect(link.sent).toEqual(['publish 1 #1 dup', 'publish 2 #2 dup', 'publish 3 #3 dup']);
    queues.complete(ids.slice(0, 3));
    queues.giveUpAwaited();
    expect(link.sent.slice(3)).toEqual(['publish 5 #5']);
    expect(after.told).toEqual(['lost a 1']);
    expect(after.queued('a')).toEqual(['publish 2 q1 #2', 'publish 3 q1 #3', 'publish 5 q1 #5']);
  });

  it('that ended do not come back, nor does anything that was queued for them', async () => {
    const before = await subscribed(['a']);
    await before.publish('x', '1');
    await before.sessions.end('a');
    const after = await restarted(before);
    expect(await after.sessions.resume('a', '')).toBe(false);
    expect((await after.store.loadQueues({ place: 0, session: 0 }, 10)).messages).toEqual([]);
  });

  it('do not keep a subscription over a restart that is not granted any more', async () => {
    const before = brokerSessions();
    await before.sessions.resume('a', 'kitchen');
    const topics = ['kitchen/x', 'garden/x'];
    await before.sessions.subscribe(
      'a',
      topics.map((topic) => ({ topic, qos: 1 as const })),
    );
    const after = await restarted(before);
    expect(after.sessions.subscriptions('a')).toEqual([{ topic: 'kitchen/x', qos: 1 }]);
    await after.journal.stop();
    expect((await after.store.loadSessions(0, 1_000))[0]?.subscriptions).toEqual([{ topic: 'kitchen/x', qos: 1 }]);
  });

  it('belong to who began them: another one begins anew', async () => {
    const { sessions, publish, queued } = await subscribed(['a']);
    await publish('x', '1');
    expect(await sessions.resume('a', 'kitchen')).toBe(false);
    expect([sessions.subscriptions('a'), queued('a')]).toEqual([[], []]);
    expect(await sessions.resume('a', 'kitchen')).toBe(true);
  });

  it('keep one copy of a message, at the highest QoS of the subscriptions that match', async () => {
    const { sessions, publish, queued } = brokerSessions();
    await sessions.resume('a', '');
    await sessions.subscribe('a', [
      { topic: 'x/#', qos: 1 },
      { topic: 'x/y', qos: 2 },
    ]);
    await publish('x/y', 'both', 2);
    await publish('x/z', 'one', 2);
    await publish('x/y', 'low', 1);
    expect(queued('a')).toEqual(['publish both q2 #1', 'publish one q1 #2', 'publish low q1 #3']);
  });

  it('take the last word on a topic, also when it is what they had', async () => {
    const { sessions } = await subscribed(['a']);
    await sessions.subscribe('a', [
      { topic: 'x', qos: 0 },
      { topic: 'x', qos: 2 },
    ]);
    expect(sessions.subscriptions('a')).toEqual([{ topic: 'x', qos: 2 }]);
  });

  it('keep nothing for a subscription with QoS 0, nor for one that ended, nor of a message with QoS 0', async () => {
    const { sessions, publish, queued } = await subscribed(['a']);
    await publish('x', '0', 0);
    await sessions.subscribe('a', [
      { topic: 'x', qos: 0 },
      { topic: 'y', qos: 1 },
    ]);
    await sessions.unsubscribe('a', ['y']);
    await publish('x', '1');
    await publish('y', '2');
    expect(queued('a')).toEqual([]);
  });

  it('keep a message without the chunk it was cut from', async () => {
    const { sessions } = await subscribed(['a']);
    const chunk = Buffer.alloc(60_000, 'x');
    const [kept] = sessions.messages.queue({ place: 9, topic: 'x', payload: chunk.subarray(0, 5), qos: 1 });
    expect(kept?.entry.payload.toString()).toBe('xxxxx');
    expect(kept?.entry.payload.buffer.byteLength).toBe(5);
  });

  it('are bounded in messages each', async () => {
    const { sessions, publish, queued, told } = await subscribed(['a', 'b'], { maxQueuedMessages: 2 });
    await publish('x', '1');
    await publish('x', '2');
    sessions.messages.acknowledged('b', 1);
    await publish('x', '3');
    expect(queued('a')).toEqual(['publish 1 q1 #1', 'publish 2 q1 #2']);
    expect(queued('b')).toEqual(['publish 2 q1 #2', 'publish 3 q1 #3']);
    expect(told).toEqual(['full a']);
  });

  it.each([{ maxQueuedBytes: 6 }, { maxBytes: 12 }])('are bounded in bytes: %o', async (limits) => {
    const { sessions, publish, queued, told } = await subscribed(['a', 'b'], limits);
    await publish('x', '12345');
    await publish('x', '6');
    expect(told).toEqual(['full a', 'full b']);
    await sessions.end('a');
    sessions.messages.acknowledged('b', 1);
    await publish('x', '78901');
    expect(queued('b')).toEqual(['publish 78901 q1 #2']);
  });

  it('are bounded in number: the one that is away for longest is given up', async () => {
    const { sessions, online, told } = await subscribed(['connected', 'away'], { maxSessions: 2 });
    online.add('connected');
    await sessions.resume('new', '');
    expect(told).toEqual(['evicted away']);
    expect(await sessions.resume('away', '')).toBe(false);
  });

  it('that one owner has most of make room, the one that is away for longest first, and not who left just now', async () => {
    const { sessions, told } = await subscribed(['plc'], { maxSessions: 5 });
    sessions.attach('plc', new FakeLink());
    for (const clientId of ['week-1', 'week-2']) await sessions.resume(clientId, clientId);
    sessions.detach('plc');
    for (const clientId of ['evil-1', 'evil-2', 'evil-3']) await sessions.resume(clientId, 'evil');
    expect(told).toEqual(['evicted evil-1']);
    await sessions.end('evil-2');
    await sessions.end('evil-3');
    for (const clientId of ['new-1', 'new-2', 'new-3', 'new-4']) await sessions.resume(clientId, clientId);
    expect(told.slice(1)).toEqual(['evicted week-1', 'evicted week-2']);
  });

  it('make room after a restart in the order in which their clients left', async () => {
    const before = await subscribed(['there', 'later', 'first']);
    for (const [now, clientId] of [
      [1_000, 'first'],
      [2_000, 'later'],
    ] as const) {
      before.now = now;
      sessionAway(before, clientId);
    }
    await before.journal.stop();
    const { sessions, told } = await restarted(before, { maxSessions: 3 });
    for (const clientId of ['new-1', 'new-2', 'new-3']) await sessions.resume(clientId, '');
    expect(told).toEqual(['evicted first', 'evicted later', 'evicted there']);
  });

  it('are bounded in number for each device, connected ones as soon as they leave', async () => {
    const { sessions, online, told } = brokerSessions({ maxOwnSessions: 2 });
    for (const clientId of ['a', 'b', 'c']) {
      online.add(clientId);
      await sessions.resume(clientId, 'device');
      await sessions.resume(`trusted ${clientId}`, '');
      sessions.attach(clientId, new FakeLink());
    }
    expect(told).toEqual([]);
    online.delete('b');
    sessions.detach('b');
    expect(told).toEqual(['evicted b']);
  });

  it('have room for topic filters as far as all of them and those of the device allow', async () => {
    const { sessions } = brokerSessions({ maxFilterBytes: 1_500, maxOwnFilterBytes: 900 });
    for (const clientId of ['a', 'b']) await sessions.resume(clientId, 'device');
    await sessions.resume('trusted', '');
    await sessions.subscribe('a', [{ topic: 'device/1', qos: 1 }]);
    expect(sessions.hasRoomFor('b', 'device/2')).toBe(false);
    expect(sessions.hasRoomFor('a', 'device/1')).toBe(true);
    expect(sessions.hasRoomFor('trusted', 'x')).toBe(true);
    await sessions.subscribe('trusted', [{ topic: 'x', qos: 0 }]);
    expect(sessions.hasRoomFor('trusted', 'y')).toBe(false);
    await sessions.unsubscribe('a', ['device/1']);
    expect(sessions.hasRoomFor('b', 'device/2')).toBe(true);
  });

  it('that have no room for their topic filters after a restart are ended, with what is on disk of them', async () => {
    const before = brokerSessions();
    for (const clientId of ['a', 'b', 'c'])
      await before.sessions.resume(clientId, clientId === 'c' ? 'other' : 'device');
    await before.sessions.subscribe('a', [{ topic: 'device/1', qos: 1 }]);
    await before.sessions.subscribe('b', [{ topic: 'device/2', qos: 1 }]);
    await before.sessions.subscribe('c', [{ topic: 'other/1', qos: 1 }]);
    const after = await restarted(before, { maxOwnFilterBytes: 900 });
    expect(after.told).toEqual(['too large b']);
    await after.journal.stop();
    expect((await after.store.loadSessions(0, 10)).map(({ clientId }) => clientId)).toEqual(['a', 'c']);
  });

  it('end when their client was away for too long, counted from the last time it was there', async () => {
    const subject = await subscribed(['a', 'there']);
    const { sessions, told } = subject;
    sessions.attach('there', new FakeLink());
    sessions.attach('a', new FakeLink());
    subject.now = 5_000;
    sessions.detach('a');
    subject.now = 15_000;
    sessions.sweep();
    expect(told).toEqual([]);
    subject.now = 15_001;
    sessions.sweep();
    expect(told).toEqual(['expired a']);
    expect(await sessions.resume('a', '')).toBe(false);
    expect(await sessions.resume('there', '')).toBe(true);
  });

  it('give back once what an ended one held', async () => {
    const subject = await subscribed(['a', 'b'], { maxBytes: 12 });
    subject.sessions.attach('b', new FakeLink());
    await subject.publish('x', '12345');
    sessionAway(subject, 'a');
    subject.now = 20_000;
    subject.sessions.sweep();
    expect(subject.told).toEqual(['expired a']);
    for (const text of ['67890', 'x']) await subject.publish('x', text);
    expect(subject.told).toEqual(['expired a', 'full b']);
  });

  it('do not end, and their messages do not age, while the clock is not synchronised', async () => {
    const subject = await subscribed(['a']);
    subject.now = null;
    sessionAway(subject, 'a');
    await subject.publish('x', '1');
    subject.sessions.sweep();
    subject.now = 1e12;
    subject.sessions.sweep();
    expect([subject.told, subject.queued('a')]).toEqual([[], ['publish 1 q1 #1']]);
    subject.now = 1e12 + 1_001;
    subject.sessions.sweep();
    expect(subject.told).toEqual(['aged a 1']);
    subject.now = 1e12 + 10_001;
    subject.sessions.sweep();
    expect(subject.told).toEqual(['aged a 1', 'expired a']);
  });

  it('give up messages that are too old, but bring to its end what was received', async () => {
    const subject = await subscribed(['a']);
    for (const text of ['1', '2']) await subject.publish('x', text, 2);
    await subject.sessions.messages.released('a', 1);
    subject.now = 1_500;
    await subject.publish('x', '3');
    subject.now = 2_001;
    subject.sessions.sweep();
    expect(subject.queued('a')).toEqual(['pubrel #1', 'publish 3 q1 #3']);
    expect(subject.told).toEqual(['aged a 1']);
  });
});

function sessionAway({ sessions }: BrokerSessions, clientId: string): void {
  sessions.attach(clientId, new FakeLink());
  sessions.detach(clientId);
}

describe('the queue of a session', () => {
  it('goes out in order, and nothing of it before it is on disk', async () => {
    const { sessions, publish } = await subscribed(['a']);
    const link = new FakeLink();
    sessions.attach('a', link);
    const first = sessions.messages.queue({ place: 100, topic: 'x', payload: Buffer.from('1'), qos: 1 });
    await publish('x', '2');
    expect(link.sent).toEqual([]);
    expect([...sessions.messages.stored(first)]).toEqual(['a']);
    expect(link.sent).toEqual(['publish 1 #1', 'publish 2 #2']);
  });

  it('goes on behind a message that turned out to be a repetition', async () => {
    const { sessions, publish } = await subscribed(['a']);
    const link = new FakeLink();
    sessions.attach('a', link);
    const repeated = sessions.messages.queue({ place: 100, topic: 'x', payload: Buffer.from('1'), qos: 1 });
    await publish('x', '2');
    sessions.messages.withdraw(repeated);
    expect(link.sent).toEqual(['publish 2 #2']);
  });

  it('waits while the client does not read, and goes on when it does', async () => {
    const { sessions, publish } = await subscribed(['a']);
    const link = new FakeLink();
    link.room = 1;
    sessions.attach('a', link);
    for (const text of ['1', '2', '3']) await publish('x', text);
    expect(link.sent).toEqual(['publish 1 #1']);
    link.room = 10;
    sessions.wake('a');
    expect(link.sent).toEqual(['publish 1 #1', 'publish 2 #2', 'publish 3 #3']);
  });

  it('is sent again with the same packet ids when the client comes back, until it is acknowledged', async () => {
    const { sessions, publish } = await subscribed(['a']);
    const links = [new FakeLink(), new FakeLink()] as const;
    sessions.attach('a', links[0]);
    for (const text of ['1', '2', '3']) await publish('x', text, 2);
    sessions.messages.acknowledged('a', 1);
    await sessions.messages.released('a', 2);
    sessions.detach('a');
    await publish('x', '4');
    sessions.attach('a', links[1]);
    expect(links[1].sent).toEqual(['pubrel #2', 'publish 3 #3 dup', 'publish 4 #4']);
  });

  it('gives no packet id to two messages, however often they went around', async () => {
    const { sessions, publish } = await subscribed(['a']);
    await publish('x', 'stays');
    const ids = new Set([1]);
    for (let i = 0; i < 70_000; i += 1) {
      const id = sessions.messages.queueOf('a')?.nextPacketId() ?? 0;
      expect(id).toBeGreaterThan(1);
      ids.add(id);
    }
    expect(ids.size).toBe(65_535);
  });

  it('hands out past itself only what overtakes nothing', async () => {
    const { sessions, publish } = await subscribed(['a']);
    expect(sessions.messages.packetIdPastQueue('a', false)).toBe(1);
    await publish('x', '1');
    expect(sessions.messages.packetIdPastQueue('a', false)).toBeUndefined();
    expect(sessions.messages.packetIdPastQueue('a', true)).toBe(3);
  });

  it('takes a PUBACK for nothing as it is', async () => {
    const { sessions } = await subscribed(['a']);
    expect(sessions.messages.acknowledged('a', 9)).toBeUndefined();
    await sessions.messages.released('a', 9);
    await sessions.messages.released('nobody', 9);
  });
});
