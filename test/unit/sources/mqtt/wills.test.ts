import { describe, expect, it } from 'vitest';
import { SessionJournal } from '../../../../src/sources/mqtt/session-journal.ts';
import { type WillLimits, Wills, willKey, withoutWillKeys } from '../../../../src/sources/mqtt/wills.ts';
import { FakeSessionStore } from '../../../support/fake-session-store.ts';

const ROOM = { maxCount: 10, maxBytes: 100_000, maxOwnBytes: 100_000 };

function setUp(limits: Partial<WillLimits> = {}, store = new FakeSessionStore()) {
  let id = 0;
  const full: string[] = [];
  const wills = new Wills({
    limits: { ...ROOM, ...limits },
    journal: new SessionJournal(store),
    nextId: () => {
      id += 1;
      return id;
    },
    onFull: (clientId) => full.push(clientId),
  });
  const put = (clientId: string, payload = 'gone', identity: string | null = null) => {
    const testator = { clientId, identity };
    wills.put(testator, { topic: 'a/b', payload });
    return testator;
  };
  const stored = async () => {
    await wills.flush();
    return (await store.loadWills(0, 100)).map(({ clientId }) => clientId);
  };
  return { wills, store, full, put, stored };
}

describe('the wills of connected clients', () => {
  it('are on disk as they came, with whose they are', async () => {
    const { wills, store } = setUp();
    wills.put({ clientId: 'c', identity: 'meter' }, { topic: 'a', payload: Buffer.from('gone'), qos: 2, retain: true });
    wills.put({ clientId: 'd', identity: null }, { topic: 'b', payload: 'ä' });
    await wills.flush();
    expect(await store.loadWills(0, 10)).toEqual([
      {
        id: 1,
        clientId: 'c',
        owner: 'meter',
        topic: 'a',
        qos: 2,
        retain: true,
        payload: new Uint8Array(Buffer.from('gone')),
      },
      {
        id: 2,
        clientId: 'd',
        owner: '',
        topic: 'b',
        qos: 0,
        retain: false,
        payload: new Uint8Array(Buffer.from('ä')),
      },
    ]);
  });

  it('are written together', async () => {
    const { wills, store, put } = setUp();
    let writes = 0;
    store.beforeSave = async () => {
      writes += 1;
    };
    for (const id of ['a', 'b', 'c']) put(id);
    await wills.flush();
    expect([writes, store.saved]).toEqual([1, ['will', 'will', 'will']]);
  });

  it('hold on to no memory but their own', async () => {
    const { wills, store } = setUp();
    const packet = Buffer.alloc(65_536);
    wills.put({ clientId: 'c', identity: null }, { topic: 'a', payload: packet.subarray(0, 4) });
    await wills.flush();
    expect((await store.loadWills(0, 1))[0]?.payload.buffer.byteLength).toBe(4);
  });

  it('are bounded in number, and have room again when one is removed', async () => {
    const { wills, full, put, stored } = setUp({ maxCount: 2 });
    const first = put('a');
    put('b');
    put('c');
    expect([await stored(), full]).toEqual([['a', 'b'], ['c']]);
    const id = wills.take(first);
    put('d');
    expect(full).toEqual(['c', 'd']);
    await wills.remove(id ?? 0);
    put('e');
    expect([await stored(), full]).toEqual([
      ['b', 'e'],
      ['c', 'd'],
    ]);
  });

  it('are bounded in bytes, each device to a share; anonymous clients may have the whole', async () => {
    const { full, put, stored } = setUp({ maxBytes: 12_000, maxOwnBytes: 4_000 });
    const large = 'x'.repeat(3_000);
    put('own', large, 'meter');
    put('greedy', large, 'meter');
    put('other', large, 'pump');
    put('anonymous', 'x'.repeat(4_500));
    put('late', large);
    expect([await stored(), full]).toEqual([
      ['own', 'other', 'anonymous'],
      ['greedy', 'late'],
    ]);
  });

  it('of clients that come and go write nothing, and give their room back', async () => {
    const { wills, store, full, put, stored } = setUp({ maxCount: 1 });
    wills.gone(put('a'));
    expect(wills.take(put('b'))).toBeUndefined();
    put('c');
    expect([await stored(), store.saved, full]).toEqual([['c'], ['will'], []]);
  });

  it('count over a restart until they are removed', async () => {
    const before = setUp();
    before.put('a');
    await before.stored();
    const { wills, full, put } = setUp({ maxCount: 1 }, before.store.reopened());
    wills.restore(await before.store.loadWills(0, 10));
    expect(wills.takeLeft().map(({ clientId }) => clientId)).toEqual(['a']);
    expect(wills.takeLeft()).toEqual([]);
    put('b');
    expect(full).toEqual(['b']);
    await wills.remove(1);
    put('c');
    expect(full).toEqual(['b']);
  });

  it('are taken once', async () => {
    const { wills, store, put, stored } = setUp();
    const testator = put('a');
    await stored();
    expect([wills.take(testator), wills.take(testator)]).toEqual([1, undefined]);
    wills.gone(testator);
    wills.stop();
    expect(store.saved).toEqual(['will']);
  });
});

describe('the keys of published wills', () => {
  it('are told apart from open exchanges of clients', () => {
    const open = [{ clientId: 'will/3', packetId: 1 }, willKey(12), { clientId: 'c', packetId: 7 }, willKey(3)];
    const { handshakes, publishedWills } = withoutWillKeys(open);
    expect(handshakes).toEqual([open[0], open[2]]);
    expect([...publishedWills]).toEqual([12, 3]);
  });
});
