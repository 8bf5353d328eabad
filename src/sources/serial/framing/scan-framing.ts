import type { Buffer } from 'node:buffer';
import { Check, type CheckOptions } from './check.ts';
import type { FrameDecoder, FrameSink, Framing } from './framing.ts';
import { RunningSums } from './running-sums.ts';
import { Scanner, type Sight } from './scanner.ts';

/** Of a frame at the beginning of the bytes. */
export type Extent =
  /** `from`, `to`: of what the checksum covers, with it. */
  | { readonly kind: 'whole'; readonly byteCount: number; readonly from: number; readonly to: number }
  | Exclude<Sight, { readonly kind: 'frame' }>;

export interface ScanFramingOptions {
  readonly gapMs: number;
  readonly maxFrameBytes: number;
  readonly start: Buffer;
  readonly check?: CheckOptions | undefined;
  /**
   * Called with bytes that begin with `start`; need not mind `maxFrameBytes`. `seenCount`: of so many of them it said
   * already that a frame is begun.
   */
  readonly extent: (bytes: Buffer, seenCount: number) => Extent;
  /** The frame around what the checksum covers, with it. */
  readonly wrap: (body: Buffer) => Buffer | undefined;
}

/** Of bytes in a stream. */
interface Place {
  readonly at: number;
  readonly sums: RunningSums | undefined;
}

const BEGUN: Sight = { kind: 'begun' };

/** Frames whose beginning tells where they end. */
export class ScanFraming implements Framing {
  readonly gapMs: number | undefined;
  readonly #options: ScanFramingOptions;
  readonly #check: Check | undefined;

  constructor(options: ScanFramingOptions) {
    this.gapMs = options.gapMs === 0 ? undefined : options.gapMs;
    this.#options = options;
    this.#check = options.check && new Check(options.check);
  }

  decoder(sink: FrameSink): FrameDecoder {
    const sums = this.#check && new RunningSums(this.#check.checksum);
    return new Scanner({ look: (bytes, at, seenCount) => this.#look(bytes, seenCount, { at, sums }) }, sink);
  }

  encode(payload: Buffer): Buffer | undefined {
    return this.#options.wrap(this.#check?.append(payload) ?? payload);
  }

  #look(bytes: Buffer, seenCount: number, place: Place): Sight {
    const { start, extent, maxFrameBytes } = this.#options;
    const begins = beginningOf(start, bytes);
    if (begins > 0) return { kind: 'bad', reason: 'noise', byteCount: begins };
    if (bytes.length < start.length) return BEGUN;
    const found = extent(bytes, seenCount);
    const byteCount = found.kind === 'whole' ? found.byteCount : bytes.length;
    if (found.kind !== 'bad' && byteCount > maxFrameBytes) return bad('too_long');
    if (found.kind !== 'whole') return found;
    if (bytes.length < byteCount) return BEGUN;
    const body = bytes.subarray(found.from, found.to);
    const payload = this.#check === undefined ? body : this.#check.strip(body, sumAt(place, found.from));
    if (payload === undefined) return { kind: 'bad', reason: 'checksum', byteCount: 1, frameBytes: byteCount };
    return payload.length === 0 ? { kind: 'bad', reason: 'noise', byteCount } : { kind: 'frame', byteCount, payload };
  }
}

/** `from`: of the body, behind the place. On a noisy line each byte may begin a frame that is to be summed. */
function sumAt({ at, sums }: Place, from: number): ((covered: Buffer, behind: number) => number) | undefined {
  return sums && ((covered, behind) => sums.sum(covered, at + from + behind));
}

/** Where the next frame may be is behind the first byte of what was none. */
export function bad(reason: 'too_long' | 'malformed'): Sight & { readonly kind: 'bad' } {
  return { kind: 'bad', reason, byteCount: 1 };
}

/** Bytes before the first place where `start` stands, or may be about to. */
function beginningOf(start: Buffer, bytes: Buffer): number {
  const [first] = start;
  if (first === undefined) return 0;
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    const there = bytes.subarray(at, at + start.length);
    if (there.equals(start.subarray(0, there.length))) return at;
  }
  return bytes.length;
}
