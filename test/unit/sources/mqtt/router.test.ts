import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../../../src/sources/mqtt/options.ts';
import { Problems } from '../../../../src/sources/mqtt/problems.ts';
import { Router } from '../../../../src/sources/mqtt/router.ts';
import { FakeSessionStore } from '../../../support/fake-session-store.ts';
import { MemoryLogger } from '../../../support/memory-logger.ts';

const CLIENT = { clientId: 'c', identity: null };

let ended: string[];
let store: FakeSessionStore;

function routerOn(on: FakeSessionStore): Router {
  return new Router({
    brokerId: 'broker',
    options: { maxQueuedMessages: 10, maxQueuedBytes: 1e6, maxQueuedAge: 1e9, sessionExpiry: 1e9, maxClients: 1 },
    queueBudgetBytes: 1e9,
    store: on,
    now: () => 1,
    problems: new Problems(new MemoryLogger()),
    maySubscribe: () => true,
    isConnected: () => false,
    onSessionEnded: (clientId) => ended.push(clientId),
  });
}

async function retainedOf({ retained }: Router): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { topic, payload } of retained.matching(['#'])) found.push(`${topic} ${payload}`);
  return found;
}

beforeEach(() => {
  ended = [];
  store = new FakeSessionStore();
});

describe('the router', () => {
  it('tells which session it gave up, so that the open exchanges of it are given up too', async () => {
    const router = routerOn(store);
    for (let i = 0; i <= LIMITS.sessions; i++) await router.sessions.resume(`client-${i}`, '');
    expect(ended).toEqual(['client-0']);
    await router.stop();
  });

  it('has nothing stored for a message that nobody waits for and that is not retained', () => {
    const router = routerOn(store);
    expect(router.prepare({ topic: 'x', payload: 'y', qos: 2 }, CLIENT).keep).toBeUndefined();
    expect(router.prepare({ topic: 'x', payload: 'y', retain: true }, CLIENT).keep).toMatchObject({ retained: true });
  });

  it('goes on counting where the last start ended, so that places keep their order', async () => {
    const first = routerOn(store);
    await first.start();
    const { keep } = first.prepare({ topic: 'x', payload: 'y', retain: true }, CLIENT);
    if (keep !== undefined) await store.keep({ ...keep, topic: 'x', payload: Buffer.from('y') });
    const second = routerOn(store.reopened());
    await second.start();
    expect(await retainedOf(second)).toEqual(['x y']);
    expect(second.prepare({ topic: 'x', retain: true }, CLIENT).keep?.place).toBeGreaterThan(keep?.place ?? 0);
    await Promise.all([first.stop(), second.stop()]);
  });

  it('reads queues on behind a page whose messages are all damaged', async () => {
    const first = routerOn(store);
    await first.sessions.resume('kept', '');
    await first.sessions.subscribe('kept', [{ topic: 'x', qos: 1 }]);
    const { keep } = first.prepare({ topic: 'x', payload: 'y', qos: 1 }, CLIENT);
    if (keep !== undefined) await store.keep({ ...keep, topic: 'x', payload: Buffer.from('y') });
    await first.stop();
    const load = store.loadQueues.bind(store);
    store.loadQueues = async (after, maxCount) =>
      after.place === 0 ? { messages: [], upTo: { place: 1, session: 0 } } : await load(after, maxCount);
    const second = routerOn(store);
    await second.start();
    expect(second.sessions.messages.queueOf('kept')?.count).toBe(1);
    await second.stop();
  });

  it('keeps what is retained while the retained messages of the last start are still read', async () => {
    for (const topic of ['a', 'b', 'c']) {
      await store.keep({ place: 1, retained: true, qos: 0, at: 1, copies: [], topic, payload: Buffer.from('old') });
    }
    const router = routerOn(store);
    await router.start();
    router.deliver(router.prepare({ topic: 'a', payload: 'new', retain: true }, CLIENT));
    router.deliver(router.prepare({ topic: 'b', retain: true }, CLIENT));
    expect(new Set(await retainedOf(router))).toEqual(new Set(['a new', 'c old']));
    await router.stop();
  });

  it('removes from disk what newer retained messages took the room of while it was not read', async () => {
    await store.keep({ place: 1, retained: true, qos: 0, at: 1, copies: [], topic: 'a', payload: Buffer.from('old') });
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const load = store.loadRetained.bind(store);
    store.loadRetained = (after, maxCount) => begun.then(() => load(after, maxCount));
    const router = routerOn(store);
    await router.start();
    const payload = Buffer.alloc(LIMITS.retainedBytes - 1);
    router.deliver(router.prepare({ topic: 'b', payload, retain: true }, CLIENT));
    begin();
    expect((await retainedOf(router)).map((text) => text[0])).toEqual(['b']);
    expect(await store.loadRetained('', 10)).toEqual([]);
    await router.stop();
  });

  it('shows a retained message to subscribers when it is stored', async () => {
    const router = routerOn(store);
    const prepared = router.prepare({ topic: 'a', payload: '1', retain: true }, CLIENT);
    expect(await retainedOf(router)).toEqual([]);
    router.deliver(prepared);
    expect(await retainedOf(router)).toEqual(['a 1']);
    router.announce('meter', 'online');
    expect(await retainedOf(router)).toEqual(['a 1', 'devices/meter/status online']);
    await router.stop();
  });

  it('leaves nothing old behind when there is no room for a retained message', async () => {
    await store.keep({ place: 1, retained: true, qos: 0, at: 1, copies: [], topic: 'a', payload: Buffer.from('old') });
    const router = routerOn(store);
    await router.start();
    router.prepare({ topic: 'a', payload: Buffer.alloc(LIMITS.retainedBytes), retain: true }, CLIENT);
    expect(await store.loadRetained('', 10)).toEqual([]);
    await router.stop();
  });

  it('hands what a session has queued out through the queue, and the rest through the hub', async () => {
    const router = routerOn(store);
    await router.sessions.resume('kept', '');
    await router.sessions.subscribe('kept', [{ topic: 'x', qos: 1 }]);
    const seen: boolean[] = [];
    router.hub.on('x', () => seen.push(router.isQueuedFor('kept'), router.isQueuedFor('clean')));
    router.deliver(router.prepare({ topic: 'x', payload: '1', qos: 1 }, CLIENT));
    router.deliver(router.prepare({ topic: 'x', payload: '2', qos: 0 }, CLIENT));
    expect(seen).toEqual([true, false, false, false]);
    await router.stop();
  });
});
