import { Buffer } from 'node:buffer';
import type { LogEntry } from '../../src/core/ports.ts';
import type { NewRecord, Seq } from '../../src/core/record.ts';
import type { Stream } from '../../src/core/stream.ts';
import { type OpenStore, openStore } from './open-store.ts';
import { entryOf, newRecord } from './records.ts';

const MAX_AGE_MS = 3_600_000;
const MAX_BYTES = 64 * 1024 * 1024;
/** So much new makes the store look at its limits at once. */
const STRIDE_BYTES = MAX_BYTES / 64;
/** One look takes the records of one stream. */
const LOOKS = 16;

const LARGE = newRecord({ stream: 'responses', receivedAt: 0, value: Buffer.alloc(STRIDE_BYTES) });
const NOTHING_MUCH: LogEntry = {
  kind: 'refused',
  message: { source: 'mqtt', reason: 'empty', channel: 'x', receivedAt: 0, payload: Buffer.alloc(0) },
};

/** A real store whose limit of age drops what a test wants gone: its clock is set, and no two records have the same time. */
export class DroppingStore {
  readonly store: OpenStore;
  readonly #clock: { now: number; elapsed: number };
  readonly #receivedAts = new Map<Seq, number>();
  #lastReceivedAt = 0;

  private constructor(store: OpenStore, clock: { now: number; elapsed: number }) {
    this.store = store;
    this.#clock = clock;
  }

  static async open(dataDir: string): Promise<DroppingStore> {
    const clock = { now: 0, elapsed: 0 };
    const options = { dataDir, maxAgeMs: MAX_AGE_MS, maxBytes: MAX_BYTES };
    return new DroppingStore(await openStore(options, { now: () => clock.now, elapsed: () => clock.elapsed }), clock);
  }

  /** Stores the records in one entry, each a little later than the one before. */
  async append(records: readonly NewRecord[]): Promise<readonly Seq[]> {
    const times = records.map(({ receivedAt }) => {
      this.#lastReceivedAt = Math.max(receivedAt, this.#lastReceivedAt + 1);
      return this.#lastReceivedAt;
    });
    const timed = records.map((record, index) => ({ ...record, receivedAt: times[index] ?? 0 }));
    const { firstSeq } = await this.store.client.append(entryOf(...timed));
    const seqs = times.map((_, index) => firstSeq + index);
    for (const [index, seq] of seqs.entries()) this.#receivedAts.set(seq, times[index] ?? 0);
    return seqs;
  }

  /** Resolves when the limit has taken what it may of the records up to here. */
  async drop(upTo: Seq): Promise<void> {
    this.#setClock(0);
    await this.#look();
    this.outdate(upTo);
    await this.#look();
  }

  /** Sets the clock so that the records up to here are too old; the store finds out by itself within a second. */
  outdate(upTo: Seq): void {
    this.#setClock((this.#receivedAts.get(upTo) ?? 0) + 1 + MAX_AGE_MS);
  }

  /** Forwards in the time that this takes, so that it is steady enough to tell ages; backwards at once. */
  #setClock(now: number): void {
    this.#clock.elapsed += Math.max(0, now - this.#clock.now);
    this.#clock.now = now;
  }

  /** Loses a record of the stream, which only lanes of this uplink should feed on: it is reported in a gap of this seq. */
  async reportGap(uplink: string, stream: Stream): Promise<Seq> {
    await this.store.lanes.open({ uplink, stream }, 'now');
    const [seq = 0] = await this.append([newRecord({ stream })]);
    await this.drop(seq);
    const { streams } = await this.store.client.stats();
    return streams.find((each) => each.stream === 'gaps')?.lastSeq ?? 0;
  }

  async #look(): Promise<void> {
    await this.store.client.append(entryOf(LARGE));
    for (let look = 0; look < LOOKS; look += 1) await this.store.client.append(NOTHING_MUCH);
  }
}
