import type { WearView } from '../core/views.ts';
import type { DiskWrites } from '../platform/disk-writes.ts';

const MS_PER_DAY = 86_400_000;
/** What a start writes would be taken for a rate before. */
const LEAST_MS = 60_000;

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
      bytesPerRecord: processBytes === null || recordCount === 0 ? null : processBytes / recordCount,
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

function perDay(bytes: number | null, ms: number): number | null {
  return bytes === null || ms < LEAST_MS ? null : (bytes / ms) * MS_PER_DAY;
}
