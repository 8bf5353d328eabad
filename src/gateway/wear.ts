import type { Config } from '../config/config.ts';
import type { WearView } from '../core/views.ts';
import { type DiskWrites, readDiskWrites } from '../platform/disk-writes.ts';
import type { StatsPoll } from './stats-poll.ts';

const MS_PER_DAY = 86_400_000;
/** What a start writes, or putting back a damaged log, would be taken for a rate before, and for that of a few records. */
const LEAST_MS = 60_000;
const LEAST_RECORDS = 100;

export interface WearParts {
  readonly writes: () => DiskWrites;
  /** Records ever accepted. */
  readonly acceptedCount: () => number;
  /** Bytes that the card bears in its life, 0 when nobody said. */
  readonly enduranceBytes: number;
  /** Milliseconds that only grow. */
  readonly now: () => number;
}

interface Reading {
  readonly at: number;
  readonly writes: DiskWrites;
  readonly acceptedCount: number;
}

/** What the gateway wears of the card, from its start on. */
export class Wear {
  readonly #parts: WearParts;
  #first: Reading | undefined;

  constructor(parts: WearParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#first = this.#read();
  }

  view(): WearView {
    const last = this.#read();
    const first = this.#first ?? last;
    const ms = last.at - first.at;
    const processBytes = grown(first.writes.processBytes, last.writes.processBytes);
    const deviceBytes = grown(first.writes.deviceBytes, last.writes.deviceBytes);
    const recordCount = last.acceptedCount - first.acceptedCount;
    const bytesPerDay = perDay(processBytes, ms);
    const deviceBytesPerDay = perDay(deviceBytes, ms);
    return {
      writtenBytes: processBytes,
      bytesPerRecord: ms < LEAST_MS ? null : perRecord(processBytes, recordCount),
      bytesPerDay,
      deviceBytesPerDay,
      ...this.#life(deviceBytesPerDay ?? bytesPerDay),
    };
  }

  #life(bytesPerDay: number | null): Pick<WearView, 'enduranceBytes' | 'cardLifeDays'> {
    const { enduranceBytes } = this.#parts;
    if (enduranceBytes === 0) return { enduranceBytes: null, cardLifeDays: null };
    return { enduranceBytes, cardLifeDays: bytesPerDay === null ? null : enduranceBytes / Math.max(bytesPerDay, 1) };
  }

  #read(): Reading {
    const { writes, acceptedCount, now } = this.#parts;
    return { at: now(), writes: writes(), acceptedCount: acceptedCount() };
  }
}

function grown(before: number | null, after: number | null): number | null {
  return before === null || after === null ? null : after - before;
}

function perRecord(bytes: number | null, count: number): number | null {
  return bytes === null || count < LEAST_RECORDS ? null : bytes / count;
}

function perDay(bytes: number | null, ms: number): number | null {
  return bytes === null || ms < LEAST_MS ? null : (bytes / ms) * MS_PER_DAY;
}

export function wearOf({ buffer, gateway }: Config, stats: StatsPoll): Wear {
  return new Wear({
    writes: () => readDiskWrites(gateway.dataDir),
    acceptedCount: () => stats.latest().streams.reduce((sum, { acceptedCount }) => sum + acceptedCount, 0),
    enduranceBytes: buffer.cardEndurance,
    now: () => performance.now(),
  });
}
