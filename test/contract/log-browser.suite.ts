import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogBrowser, RecordQuery } from '../../src/core/browser.ts';
import type { BootStart, NewRecord, Seq } from '../../src/core/record.ts';
import { newRecord } from '../support/records.ts';

export interface BrowserUnderTest {
  readonly browser: LogBrowser;
  /** Stores the records and returns their seqs. */
  store(...records: readonly NewRecord[]): Promise<readonly Seq[]>;
  /** Keeps refused messages aside, one for each channel. */
  refuse(...channels: readonly string[]): Promise<void>;
  /** Lets an uplink reject the records. */
  reject(...records: readonly NewRecord[]): Promise<void>;
  /** The clock was synchronised in that boot. */
  noteSync(boot: BootStart): Promise<void>;
  close(): Promise<void>;
}

const ALL: RecordQuery = {
  stream: null,
  device: null,
  after: 0,
  before: Number.MAX_SAFE_INTEGER,
  order: 'newest',
  limit: 100,
};
const NEWEST = { before: Number.MAX_SAFE_INTEGER, limit: 100 };

/** The promises of the port `LogBrowser`, for every implementation. `make` gives an empty log. */
export function logBrowserContract(name: string, make: () => Promise<BrowserUnderTest>): void {
  describe(`${name} as a LogBrowser`, () => {
    let subject: BrowserUnderTest;

    beforeEach(async () => {
      subject = await make();
    });

    afterEach(() => subject.close());

    const devicesOf = async (query: Partial<RecordQuery>) =>
      (await subject.browser.records({ ...ALL, ...query })).records.map(({ device }) => device);

    const five = () =>
      subject.store(
        newRecord({ device: 'a' }),
        newRecord({ device: 'b', stream: 'events', eventType: 'door' }),
        newRecord({ device: 'a', stream: 'state' }),
        newRecord({ device: 'ab', observedAt: 5 }),
        newRecord({ device: 'b', stream: 'events', eventType: 'door', observedAt: 5 }),
      );

    it('finds nothing in an empty log', async () => {
      expect(await subject.browser.records(ALL)).toEqual({ records: [], damaged: [], next: null });
      expect(await subject.browser.record(1)).toBeUndefined();
      expect(await subject.browser.refused(NEWEST)).toEqual({ items: [], next: null });
      expect(await subject.browser.rejects(NEWEST)).toEqual({ items: [], next: null });
    });

    it('shows records from before the first synchronisation with their true times from then on', async () => {
      const bootTime = { bootId: 'b'.repeat(32), uptimeMs: 7_000 };
      const unsynced = newRecord({ receivedAt: 7_000, timeQuality: 'unsynced', bootTime });
      const [seq = 0] = await subject.store(unsynced);
      await subject.reject(unsynced);
      expect(await subject.browser.record(seq)).toMatchObject({ receivedAt: 7_000, timeQuality: 'unsynced' });
      await subject.noteSync({ bootId: bootTime.bootId, startedAt: 1_800_000_000_000 });
      const corrected = { receivedAt: 1_800_000_007_000, timeQuality: 'corrected' };
      expect(await subject.browser.record(seq)).toMatchObject(corrected);
      expect((await subject.browser.records({ ...ALL, before: seq + 1 })).records).toMatchObject([corrected]);
      expect((await subject.browser.rejects(NEWEST)).items).toMatchObject([{ record: corrected }]);
    });

    it('shows records as they were stored, over all streams, in either order', async () => {
      const seqs = await five();
      expect(await devicesOf({ order: 'newest' })).toEqual(['b', 'ab', 'a', 'b', 'a']);
      const { records } = await subject.browser.records({ ...ALL, order: 'oldest' });
      expect(records.map(({ seq }) => seq)).toEqual(seqs);
      expect(records[1]).toMatchObject({ device: 'b', stream: 'events', eventType: 'door', observedAt: null });
    });

    it('filters by stream, by device and by seq', async () => {
      const seqs = await five();
      expect(await devicesOf({ stream: 'telemetry' })).toEqual(['ab', 'a']);
      expect(await devicesOf({ device: 'a' })).toEqual(['a', 'a']);
      expect(await devicesOf({ device: 'b', stream: 'events' })).toEqual(['b', 'b']);
      expect(await devicesOf({ device: 'b', stream: 'state' })).toEqual([]);
      expect(await devicesOf({ after: seqs[0] ?? 0, before: seqs[3] ?? 0 })).toEqual(['a', 'b']);
    });

    it.each(['newest', 'oldest'] as const)('pages through all, %s first, each record once', async (order) => {
      const seqs = await five();
      const seen: Seq[] = [];
      let page = await subject.browser.records({ ...ALL, order, limit: 2 });
      for (;;) {
        seen.push(...page.records.map(({ seq }) => seq));
        if (page.next === null) break;
        const edge = order === 'newest' ? { before: page.next } : { after: page.next };
        page = await subject.browser.records({ ...ALL, order, limit: 2, ...edge });
      }
      expect(seen).toEqual(order === 'newest' ? seqs.toReversed() : seqs);
    });

    it('finds a record by its seq, whatever its stream', async () => {
      const seqs = await five();
      for (const seq of seqs) expect(await subject.browser.record(seq)).toMatchObject({ seq });
      expect(await subject.browser.record((seqs.at(-1) ?? 0) + 1)).toBeUndefined();
    });

    it('shows refused messages, newest first, in pages', async () => {
      await subject.refuse('one', 'two', 'three');
      const { items, next } = await subject.browser.refused({ ...NEWEST, limit: 2 });
      expect(items.map(({ channel }) => channel)).toEqual(['three', 'two']);
      expect(items[0]).toMatchObject({ source: 'mqtt', reason: 'invalid_json', at: 1_000, size: 1 });
      expect(Buffer.from(items[0]?.payload ?? []).toString()).toBe('{');
      const rest = await subject.browser.refused({ before: next ?? 0, limit: 2 });
      expect([rest.items.map(({ channel }) => channel), rest.next]).toEqual([['one'], null]);
    });

    it('shows rejects with their records, newest first, in pages', async () => {
      await subject.reject(newRecord({ device: 'a' }), newRecord({ device: 'b' }));
      const { items, next } = await subject.browser.rejects({ ...NEWEST, limit: 1 });
      expect(items).toMatchObject([
        { uplink: 'plant', stream: 'telemetry', reason: 'message_too_large', detail: 'why', record: { device: 'b' } },
      ]);
      expect(items[0]?.seq).toBe(items[0]?.record?.seq);
      const rest = await subject.browser.rejects({ before: next ?? 0, limit: 1 });
      expect([rest.items.map(({ record }) => record?.device), rest.next]).toEqual([['a'], null]);
    });
  });
}
