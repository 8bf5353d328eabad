import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { type RetainedMessage, RetainedMessages } from '../../../../src/sources/mqtt/retained.ts';
import { BROKER, type Claim, type Owner } from '../../../../src/sources/mqtt/retained-room.ts';
import { FakeSessionStore } from '../../../support/fake-session-store.ts';

type Message = RetainedMessage & Claim;

function message(topic: string, payload: string | Buffer, owner: Owner = null): Message {
  return { topic, payload: Buffer.from(payload), qos: 0, owner };
}

/** As one that is stored at once. */
function retain(retained: RetainedMessages, next: Message): boolean {
  const hasRoom = retained.take(next);
  retained.put(hasRoom ? next : { ...next, payload: Buffer.alloc(0) });
  return hasRoom;
}

async function found(retained: RetainedMessages, ...filters: readonly string[]): Promise<readonly string[]> {
  const texts: string[] = [];
  for await (const { topic, payload } of retained.matching(filters)) texts.push(`${topic} ${payload}`);
  return texts;
}

describe('retained messages', () => {
  it('are the last of each topic, until an empty one removes them', async () => {
    const retained = new RetainedMessages({ maxTopics: 10, maxBytes: 100, maxOwnTopics: 1 });
    retain(retained, message('a', '1'));
    retain(retained, message('a', '2'));
    retain(retained, message('b', '3'));
    expect(await found(retained, '#')).toEqual(['a 2', 'b 3']);
    retain(retained, message('a', ''));
    expect(await found(retained, '#')).toEqual(['b 3']);
  });

  it('keep no more than their own bytes in memory', async () => {
    const retained = new RetainedMessages({ maxTopics: 10, maxBytes: 100, maxOwnTopics: 1 });
    retain(retained, message('a', Buffer.from('x'.repeat(1_000)).subarray(0, 10)));
    for await (const { payload } of retained.matching(['a'])) {
      expect([payload.toString(), payload.buffer.byteLength]).toEqual(['x'.repeat(10), 10]);
    }
    expect.assertions(1);
  });

  it('are found by name and by filter, those that begin with $ not by a wildcard in front', async () => {
    const retained = new RetainedMessages({ maxTopics: 10, maxBytes: 100, maxOwnTopics: 1 });
    for (const topic of ['a/b', 'a/c', '$x/b']) retain(retained, message(topic, '1'));
    expect(await found(retained, 'a/b')).toEqual(['a/b 1']);
    expect(await found(retained, '+/b')).toEqual(['a/b 1']);
    expect(await found(retained, 'a/b/#')).toEqual(['a/b 1']);
    expect(await found(retained, 'a/+')).toEqual(['a/b 1', 'a/c 1']);
    expect(await found(retained, '$x/#', 'a/c')).toEqual(['a/c 1', '$x/b 1']);
  });

  it('are bounded in number and in bytes; a topic that is known may change within them', async () => {
    const retained = new RetainedMessages({ maxTopics: 2, maxBytes: 12, maxOwnTopics: 1 });
    expect(retain(retained, message('a', '12345'))).toBe(true);
    expect(retain(retained, message('b', '123456'))).toBe(false);
    expect(retain(retained, message('b', '12345'))).toBe(true);
    expect(retain(retained, message('c', ''))).toBe(true);
    expect(retain(retained, message('c', '1'))).toBe(false);
    expect(retain(retained, message('a', '1'))).toBe(true);
    expect(await found(retained, '#')).toEqual(['b 12345', 'a 1']);
  });

  it('are shown from when they are stored, and until then the one before', async () => {
    const retained = new RetainedMessages({ maxTopics: 10, maxBytes: 100, maxOwnTopics: 1 });
    retain(retained, message('a', '1'));
    retained.take(message('a', '2'));
    retained.take(message('b', '3'));
    expect(await found(retained, '#')).toEqual(['a 1']);
    retained.put(message('a', '2'));
    expect(await found(retained, '#')).toEqual(['a 2']);
  });

  it('of one device have an eighth of the room, also those from before a restart', async () => {
    const limits = { maxTopics: 16, maxBytes: 800, maxOwnTopics: 1 };
    const retained = new RetainedMessages(limits);
    const fits = (topic: string, bytes: number, owner: Owner) =>
      retain(retained, message(topic, Buffer.alloc(bytes, 'x'), owner));
    expect(fits('a', 99, 'greedy')).toBe(true);
    expect(fits('b', 1, 'greedy')).toBe(false);
    expect(fits('a', 9, 'greedy')).toBe(true);
    expect([fits('b', 1, 'greedy'), fits('c', 1, 'greedy')]).toEqual([true, false]);
    expect([fits('d', 400, null), fits('e', 10, 'meter')]).toEqual([true, true]);
    fits('b', 0, 'greedy');
    expect(fits('c', 1, 'greedy')).toBe(true);
    const store = new FakeSessionStore();
    const kept = { place: 1, retained: true, qos: 0, at: 1, copies: [], payload: Buffer.from('x') } as const;
    for (const topic of ['devices/m/1', 'devices/m/2', 'devices/m/3']) await store.keep({ ...kept, topic });
    const next = new RetainedMessages(limits);
    await next.restore(store, () => undefined);
    expect((await found(next, '#')).length).toBe(3);
    expect(next.take(message('devices/m/4', '1', 'm'))).toBe(false);
    expect(next.take(message('devices/n/1', '1', 'n'))).toBe(true);
  });

  it('keep room for one as large, however full it is', async () => {
    const retained = new RetainedMessages({ maxTopics: 2, maxBytes: 20, maxOwnTopics: 1 });
    retain(retained, message('a', '12345'));
    retain(retained, message('b', '1234567890123'));
    expect(retain(retained, message('a', '67890'))).toBe(true);
    expect(retain(retained, message('a', '678901'))).toBe(false);
    expect(await found(retained, '#')).toEqual(['b 1234567890123']);
  });

  it("that are the broker's own have room of their own", async () => {
    const retained = new RetainedMessages({ maxTopics: 1, maxBytes: 1, maxOwnTopics: 1 });
    retain(retained, message('a', '1'));
    expect(retain(retained, message('devices/x/status', 'online', BROKER))).toBe(true);
    expect(await found(retained, 'devices/#')).toEqual(['devices/x/status online']);
    expect(retain(retained, message('devices/y/status', 'online', BROKER))).toBe(false);
    expect(retain(retained, message('devices/x/status', 'offline', BROKER))).toBe(true);
  });

  it.each([
    [1, ['a new', 'x 1']],
    [9, ['x 1']],
  ])('that a damaged log had are there when it is put back, when %i topics changed meanwhile', async (count, there) => {
    const store = new FakeSessionStore();
    const salvaged = Promise.withResolvers<never>();
    const asked = Promise.withResolvers<void>();
    store.salvaged = () => {
      asked.resolve();
      return salvaged.promise;
    };
    const retained = new RetainedMessages({ maxTopics: 8, maxBytes: 100, maxOwnTopics: 1 });
    const restored = retained.restore(store, () => undefined);
    await asked.promise;
    retain(retained, message('x', '1'));
    for (let n = 1; n < count; n += 1) retained.take(message(`none/${n}`, ''));
    const kept = { place: 1, retained: true, qos: 0, at: 1, copies: [], payload: Buffer.from('new') } as const;
    await store.keep({ ...kept, topic: 'a' });
    salvaged.resolve({ putBackCount: 1, lostCount: 0 } as never);
    await restored;
    expect((await found(retained, '#')).toSorted()).toEqual(there);
  });

  it('let others have their turn, however many filters look through however many topics', async () => {
    const retained = new RetainedMessages({ maxTopics: 20_000, maxBytes: 1e9, maxOwnTopics: 1 });
    for (let i = 0; i < 20_000; i++) retain(retained, message(`devices/d/a/${i}`, '1'));
    const filters = Array.from({ length: 1_000 }, (_, i) => `devices/d/a/+/n${i}`);
    let turns = 0;
    const count = (): void => {
      turns += 1;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    expect(await found(retained, ...filters)).toEqual([]);
    clearImmediate(timer);
    expect(turns).toBeGreaterThan(50);
  });
});
