import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeptMessage, QueuedMessage, SessionChange, StoredWill } from '../../src/core/session.ts';
import type { SessionStore } from '../../src/core/state-store.ts';

export interface SessionStoreUnderTest {
  readonly store: SessionStore;
  /** Closes it and opens what it left behind, as a restart does. */
  reopen(): Promise<SessionStore>;
  close(): Promise<void>;
}

const FIRST = { place: 0, session: 0 };
const NOTHING = new Uint8Array();
const BEGIN: readonly SessionChange[] = [
  { kind: 'begin', session: 1, clientId: 'phone', owner: '' },
  { kind: 'begin', session: 2, clientId: 'panel', owner: 'kitchen' },
];

function kept(place: number, payload: string, changes: Partial<KeptMessage> = {}): KeptMessage {
  const message = {
    place,
    retained: false,
    qos: 1,
    at: 7,
    copies: [],
    topic: 'a/b',
    payload: Buffer.from(payload),
  } as const;
  return { ...message, ...changes };
}

function copy(session: number, packetId: number, qos: 1 | 2 = 1) {
  return { session, packetId, qos };
}

function textOf({ place, session, packetId, qos, released, content }: QueuedMessage): string {
  const what = released ? 'released' : content && `${content.topic} ${Buffer.from(content.payload)}`;
  return `${place}/${session} #${packetId} q${qos} ${what}`;
}

/** The promises of the port `SessionStore`, for every implementation. `make` gives an empty one. */
export function sessionStoreContract(name: string, make: () => Promise<SessionStoreUnderTest>): void {
  describe(`${name} as a SessionStore`, () => {
    let subject: SessionStoreUnderTest;
    let store: SessionStore;

    beforeEach(async () => {
      subject = await make();
      store = subject.store;
    });

    afterEach(() => subject.close());

    const reopen = async () => {
      store = await subject.reopen();
    };
    const queues = async () => (await store.loadQueues(FIRST, 1_000)).messages.map(textOf);
    const retained = async () =>
      (await store.loadRetained('', 1_000)).map(
        ({ topic, qos, payload }) => `${topic} q${qos} ${Buffer.from(payload)}`,
      );

    it('is empty at first', async () => {
      expect(await store.loadSessions(0, 1_000)).toEqual([]);
      expect(await store.loadWills(0, 1_000)).toEqual([]);
      expect(await queues()).toEqual([]);
      expect(await retained()).toEqual([]);
      expect(await store.lastPlace()).toBe(0);
    });

    it('keeps sessions with their subscriptions over a restart', async () => {
      await store.saveSessions(BEGIN);
      const subscriptions = [
        { topic: 'a/#', qos: 1 },
        { topic: 'b', qos: 0 },
      ] as const;
      await store.saveSessions([
        { kind: 'subscribe', session: 1, subscriptions },
        { kind: 'subscribe', session: 1, subscriptions: [{ topic: 'b', qos: 2 }] },
        { kind: 'subscribe', session: 2, subscriptions: [{ topic: 'c', qos: 1 }] },
        { kind: 'unsubscribe', session: 2, topics: ['c', 'never'] },
        { kind: 'away', session: 2, since: 1_700_000_000_000 },
      ]);
      await reopen();
      expect(await store.loadSessions(0, 1_000)).toEqual([
        {
          id: 1,
          clientId: 'phone',
          owner: '',
          awaySince: null,
          subscriptions: [
            { topic: 'a/#', qos: 1 },
            { topic: 'b', qos: 2 },
          ],
        },
        { id: 2, clientId: 'panel', owner: 'kitchen', awaySince: 1_700_000_000_000, subscriptions: [] },
      ]);
      expect((await store.loadSessions(0, 1)).map(({ id }) => id)).toEqual([1]);
      expect((await store.loadSessions(1, 1_000)).map(({ id }) => id)).toEqual([2]);
      expect(await store.lastPlace()).toBe(2);
    });

    it('forgets an ended session, and lets its client begin another in the same breath', async () => {
      await store.saveSessions(BEGIN);
      await store.saveSessions([
        { kind: 'subscribe', session: 1, subscriptions: [{ topic: 'x', qos: 1 }] },
        { kind: 'end', session: 1 },
        { kind: 'begin', session: 3, clientId: 'phone', owner: '' },
      ]);
      await reopen();
      expect((await store.loadSessions(0, 1_000)).map(({ id, subscriptions }) => [id, subscriptions])).toEqual([
        [2, []],
        [3, []],
      ]);
    });

    it('keeps the identifier of a subscription, and forgets it with the next one that has none', async () => {
      const subscribe = (subscriptionIdentifier?: number): SessionChange => {
        const subscription = { topic: 'a', qos: 1, subscriptionIdentifier } as const;
        return { kind: 'subscribe', session: 1, subscriptions: [subscription] };
      };
      await store.saveSessions([...BEGIN, subscribe(42)]);
      await reopen();
      expect((await store.loadSessions(0, 1))[0]?.subscriptions[0]?.subscriptionIdentifier).toBe(42);
      await store.saveSessions([subscribe()]);
      await reopen();
      expect((await store.loadSessions(0, 1))[0]?.subscriptions[0]?.subscriptionIdentifier).toBeUndefined();
    });

    it('keeps wills over a restart, in their order and page by page, until they are gone', async () => {
      const payload = new Uint8Array([0, 255]);
      const will = (id: number, changes: Partial<StoredWill> = {}): StoredWill => {
        const first = { id, clientId: 'phone', owner: '', topic: 'a/b', qos: 0, retain: false, payload } as const;
        return { ...first, ...changes };
      };
      const second = {
        clientId: 'panel',
        owner: 'kitchen',
        topic: 'ä',
        qos: 2,
        retain: true,
        payload: NOTHING,
      } as const;
      const wills = [will(5), will(7, second), will(9)];
      await store.saveSessions(wills.map((one) => ({ kind: 'will', will: one })));
      await reopen();
      const bytes = async (after: number, maxCount: number) =>
        (await store.loadWills(after, maxCount)).map((one) => ({ ...one, payload: new Uint8Array(one.payload) }));
      expect(await bytes(0, 1_000)).toEqual(wills);
      expect(await bytes(5, 1)).toEqual([wills[1]]);
      expect(await store.lastPlace()).toBe(9);
      await store.saveSessions([
        { kind: 'will_gone', id: 5 },
        { kind: 'will_gone', id: 7 },
        { kind: 'will_gone', id: 99 },
      ]);
      await reopen();
      expect(await bytes(0, 1_000)).toEqual([wills[2]]);
    });

    it('keeps queues in order over a restart, with packet ids and what was received', async () => {
      await store.saveSessions(BEGIN);
      await store.keep(kept(10, 'one', { copies: [copy(1, 7), copy(2, 1, 2)] }));
      await store.keep(kept(11, 'two', { topic: 'ä', copies: [copy(1, 8)] }));
      await store.changeQueues([{ kind: 'released', session: 2, place: 10 }]);
      await reopen();
      expect(await queues()).toEqual(['10/1 #7 q1 a/b one', '10/2 #1 q2 released', '11/1 #8 q1 ä two']);
      expect((await store.loadQueues(FIRST, 1)).messages[0]?.at).toBe(7);
      expect(await store.lastPlace()).toBe(11);
    });

    it('waits for no damaged log when there was none', async () => {
      expect(await store.salvaged()).toBeNull();
    });

    it('gives queues page by page', async () => {
      await store.saveSessions(BEGIN);
      for (const place of [1, 2])
        await store.keep(kept(place, `${place}`, { copies: [copy(1, place), copy(2, place)] }));
      const first = await store.loadQueues(FIRST, 3);
      expect(first.messages.map(textOf)).toEqual(['1/1 #1 q1 a/b 1', '1/2 #1 q1 a/b 1', '2/1 #2 q1 a/b 2']);
      const rest = await store.loadQueues(first.upTo ?? FIRST, 3);
      expect(rest.messages.map(textOf)).toEqual(['2/2 #2 q1 a/b 2']);
      expect(await store.loadQueues(rest.upTo ?? FIRST, 3)).toEqual({ messages: [], upTo: null });
    });

    it('forgets single messages, and all of a session, and nothing else', async () => {
      await store.saveSessions(BEGIN);
      for (const place of [1, 2])
        await store.keep(kept(place, `${place}`, { copies: [copy(1, place), copy(2, place)] }));
      await store.changeQueues([
        { kind: 'removed', session: 2, place: 1 },
        { kind: 'removed', session: 9, place: 99 },
      ]);
      expect(await queues()).toEqual(['1/1 #1 q1 a/b 1', '2/1 #2 q1 a/b 2', '2/2 #2 q1 a/b 2']);
      await store.changeQueues([{ kind: 'ended', session: 1 }]);
      await reopen();
      expect(await queues()).toEqual(['2/2 #2 q1 a/b 2']);
    });

    it('has nothing for a session that is not known any more, after a restart', async () => {
      await store.saveSessions(BEGIN);
      await store.keep(kept(1, 'x', { copies: [copy(1, 1), copy(2, 1), copy(77, 1)] }));
      await store.saveSessions([{ kind: 'end', session: 1 }]);
      await reopen();
      expect(await queues()).toEqual(['1/2 #1 q1 a/b x']);
    });

    it('keeps the last retained message of a topic over restarts, until an empty one removes it', async () => {
      await store.keep(kept(1, 'old', { retained: true }));
      await store.keep(kept(2, 'new', { retained: true, qos: 2 }));
      await store.keep(kept(3, 'not retained'));
      await store.keep(kept(4, '1', { retained: true, topic: 'c' }));
      await reopen();
      expect(await retained()).toEqual(['a/b q2 new', 'c q1 1']);
      await store.keep(kept(5, '', { retained: true }));
      await reopen();
      expect(await retained()).toEqual(['c q1 1']);
      expect(await store.loadRetained('c', 10)).toEqual([]);
      expect(await store.lastPlace()).toBeGreaterThanOrEqual(4);
    });
  });
}
