import type {
  KeptPage,
  KeptQuery,
  KeptRefused,
  KeptReject,
  KeptStore,
  LogBrowser,
  RecordPage,
  RecordQuery,
} from '../../src/core/browser.ts';
import type { BootStart, Seq, StoredRecord } from '../../src/core/record.ts';
import { corrected } from './corrected.ts';

/** A log to look into, in memory; a test fills it. */
export class FakeBrowser implements LogBrowser, KeptStore {
  recordsHeld: StoredRecord[] = [];
  refusedHeld: KeptRefused[] = [];
  rejectsHeld: KeptReject[] = [];

  noteSync(boot: BootStart): void {
    this.recordsHeld = this.recordsHeld.map((record) => corrected(record, boot));
    this.rejectsHeld = this.rejectsHeld.map(({ record, ...about }) => ({
      ...about,
      record: record && corrected(record, boot),
    }));
  }

  async records({ stream, device, after, before, order, limit }: RecordQuery): Promise<RecordPage> {
    const found = this.recordsHeld
      .filter((record) => (stream ?? record.stream) === record.stream && (device ?? record.device) === record.device)
      .filter(({ seq }) => seq > after && seq < before)
      .sort((a, b) => (order === 'newest' ? b.seq - a.seq : a.seq - b.seq));
    const records = found.slice(0, limit);
    return { records, damaged: [], next: found.length > limit ? (records.at(-1)?.seq ?? null) : null };
  }

  async record(seq: Seq): Promise<StoredRecord | undefined> {
    return this.recordsHeld.find((record) => record.seq === seq);
  }

  async refused(query: KeptQuery): Promise<KeptPage<KeptRefused>> {
    return pageOf(this.refusedHeld, query);
  }

  async rejects(query: KeptQuery): Promise<KeptPage<KeptReject>> {
    return pageOf(this.rejectsHeld, query);
  }

  async retryReject(id: number): Promise<Seq | undefined> {
    const reject = this.rejectsHeld.find((kept) => kept.id === id);
    if (reject?.record === undefined || reject.record === null) return undefined;
    const { uplink, seq, record } = reject;
    const next = Math.max(0, ...this.recordsHeld.map((held) => held.seq)) + 1;
    this.recordsHeld.push({ ...record, seq: next, retryOf: { uplink, seq } });
    await this.removeReject(id);
    return next;
  }

  async removeRefused(id: number): Promise<boolean> {
    const before = this.refusedHeld.length;
    this.refusedHeld = this.refusedHeld.filter((kept) => kept.id !== id);
    return this.refusedHeld.length < before;
  }

  async removeReject(id: number): Promise<boolean> {
    const before = this.rejectsHeld.length;
    this.rejectsHeld = this.rejectsHeld.filter((kept) => kept.id !== id);
    return this.rejectsHeld.length < before;
  }
}

function pageOf<T extends { readonly id: number }>(held: readonly T[], { before, limit }: KeptQuery): KeptPage<T> {
  const found = held.filter(({ id }) => id < before).sort((a, b) => b.id - a.id);
  const items = found.slice(0, limit);
  return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null };
}
