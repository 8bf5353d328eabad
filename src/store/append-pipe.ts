import type { SluiceError } from '../core/errors.ts';
import type { Appended, LogEntry, Room } from '../core/ports.ts';
import type { Seq } from '../core/record.ts';
import { PackWriter } from './pack/pack-writer.ts';
import { APPEND_OUTCOMES, type AppendResult, type MainOperations } from './protocol.ts';

/** Packs on their way at once: one is being committed, one is already there, and one is being answered. */
const MAX_PACKS_IN_FLIGHT = 3;
/** With a commit interval so many more wait for its end, handed over at even distances. */
const PACKS_PER_INTERVAL = 16;
const MAX_BYTES_IN_FLIGHT = 12 * 1024 * 1024;
/** So many entries do not wait for the end of the turn: the worker commits them while the rest is decoded. */
const EAGER_COUNT = 100;
/** The same of those for which nobody waits: the fewer commits, the less work. */
const PATIENT_COUNT = 1_000;
/** What nobody waits for is handed over with what comes within so long. */
const LINGER_MS = 50;
const MAX_PACK_BYTES = 4 * 1024 * 1024;
const NOTHING: Appended = { firstSeq: 0, duplicate: false };
const DUPLICATE: Appended = { firstSeq: 0, duplicate: true };
const REUSED: Appended = { firstSeq: 0, duplicate: false, keyReused: true };

interface Waiting {
  resolve(appended: Appended): void;
  reject(error: unknown): void;
}

interface QueuedEntry extends Waiting {
  readonly entry: LogEntry;
}

type Pack = MainOperations['append']['args'];

/**
 * The way of appends to the worker, in order: what comes during one turn of the loop, or while the worker is busy, goes
 * over in one pack; a long turn hands over several. Memory: 12 MiB of packs, and what the sources hold back while their
 * messages wait.
 */
export class AppendPipe {
  readonly #handOver: (pack: Pack) => Promise<AppendResult>;
  readonly #pack = new PackWriter();
  #packed: Waiting[] = [];
  /** Entries that found the pack full, in order. */
  #overflow: QueuedEntry[] = [];
  #inFlight = 0;
  #bytesInFlight = 0;
  #maxInFlight = MAX_PACKS_IN_FLIGHT;
  #lingerMs = 0;
  #longestLingerMs = LINGER_MS;
  /** Nobody waits for what is packed. */
  #mayLinger = true;
  /** When what is packed is sent, from when that was decided. */
  #scheduledMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasFailed = false;
  /** Bytes of all that was ever packed. */
  #packedBytes = 0;
  #room: Room = { bytes: Number.POSITIVE_INFINITY, capacityBytes: Number.POSITIVE_INFINITY };
  /** Of it what has been answered. */
  #landedBytes = 0;
  /** What of it was in the room that the store told last. */
  #toldAt = 0;

  constructor(handOver: (pack: Pack) => Promise<AppendResult>) {
    this.#handOver = handOver;
  }

  /** With an interval between commits packs are handed over at even distances in it. */
  linger(commitIntervalMs: number): void {
    this.#lingerMs = commitIntervalMs / PACKS_PER_INTERVAL;
    if (this.#lingerMs > 0) this.#maxInFlight = MAX_PACKS_IN_FLIGHT + PACKS_PER_INTERVAL;
  }

  get room(): Room {
    const { bytes, capacityBytes } = this.#room;
    return { bytes: Math.max(0, bytes - (this.#packedBytes - this.#toldAt)), capacityBytes };
  }

  append(entry: LogEntry): Promise<Appended> {
    if (entry.kind === 'barrier' && this.#isIdle()) return Promise.resolve(NOTHING);
    return new Promise((resolve, reject) => {
      if (this.#overflow.length > 0 || this.#pack.byteLength >= MAX_PACK_BYTES) {
        this.#overflow.push({ entry, resolve, reject });
      } else this.#add(entry, { resolve, reject });
      if (this.#isMuch() && this.#maySend()) this.#send();
      else this.#schedule();
    });
  }

  /** While nothing is appended nothing else tells that there is room again. */
  noteStats(room: Room): void {
    this.#noteRoom(room, this.#landedBytes);
  }

  /** From now on nothing waits for others. */
  hurry(): void {
    this.#lingerMs = 0;
    this.#longestLingerMs = 0;
    clearTimeout(this.#timer);
    this.#scheduledMs = undefined;
    this.#send();
  }

  /** The worker is gone: everything that waits is rejected. */
  fail(error: SluiceError): void {
    this.#hasFailed = true;
    for (const { reject } of [...this.#packed, ...this.#overflow]) reject(error);
    this.#packed = [];
    this.#overflow = [];
  }

  /** A worker that is gone is asked, so that the barrier fails as everything does. */
  #isIdle(): boolean {
    if (this.#hasFailed) return false;
    return this.#inFlight === 0 && this.#packed.length === 0 && this.#overflow.length === 0;
  }

  /** `waiting` without the entry: once packed, that is not needed again. */
  #add(entry: LogEntry, waiting: Waiting): void {
    const before = this.#pack.byteLength;
    this.#pack.add(entry);
    this.#packedBytes += this.#pack.byteLength - before;
    this.#packed.push(waiting);
    if (entry.kind !== 'records' || entry.mayLinger !== true) this.#mayLinger = false;
  }

  #isMuch(): boolean {
    return this.#packed.length >= (this.#mayLinger ? PATIENT_COUNT : EAGER_COUNT);
  }

  #schedule(): void {
    if (!this.#maySend()) return;
    const delayMs = this.#mayLinger ? Math.max(this.#lingerMs, this.#longestLingerMs) : this.#lingerMs;
    if (this.#scheduledMs !== undefined && this.#scheduledMs <= delayMs) return;
    clearTimeout(this.#timer);
    this.#scheduledMs = delayMs;
    const send = () => {
      this.#scheduledMs = undefined;
      this.#send();
    };
    if (delayMs > 0) this.#timer = setTimeout(send, delayMs);
    else setImmediate(send);
  }

  #maySend(): boolean {
    return this.#inFlight < this.#maxInFlight && this.#bytesInFlight < MAX_BYTES_IN_FLIGHT;
  }

  #send(): void {
    if (this.#packed.length === 0 || !this.#maySend()) return;
    const waiting = this.#packed;
    const pack = this.#pack.take();
    const packedBytes = this.#packedBytes;
    this.#packed = [];
    this.#mayLinger = true;
    const { byteLength } = pack;
    this.#inFlight += 1;
    this.#bytesInFlight += byteLength;
    const landed = () => {
      this.#inFlight -= 1;
      this.#bytesInFlight -= byteLength;
      this.#refill();
    };
    this.#handOver(pack).then(
      (result) => {
        landed();
        this.#landedBytes = packedBytes;
        const [bytes = 0, capacityBytes = 0] = result.subarray(-2);
        this.#noteRoom({ bytes, capacityBytes }, packedBytes);
        resolveAll(waiting, result);
      },
      (error: unknown) => {
        landed();
        for (const { reject } of waiting) reject(error);
      },
    );
    this.#refill();
  }

  #noteRoom(room: Room, packedBytes: number): void {
    this.#room = room;
    this.#toldAt = packedBytes;
  }

  #refill(): void {
    let taken = 0;
    while (taken < this.#overflow.length && this.#pack.byteLength < MAX_PACK_BYTES) {
      const next = this.#overflow[taken];
      if (next !== undefined) this.#add(next.entry, { resolve: next.resolve, reject: next.reject });
      taken += 1;
    }
    if (taken > 0) this.#overflow.splice(0, taken);
    if (this.#packed.length > 0) this.#schedule();
  }
}

function resolveAll(waiting: readonly Waiting[], result: AppendResult): void {
  for (let i = 0; i < waiting.length; i++) waiting[i]?.resolve(appended(result[2 * i] ?? 0, result[2 * i + 1] ?? 0));
}

function appended(firstSeq: Seq, outcome: number): Appended {
  switch (APPEND_OUTCOMES[outcome]) {
    case 'duplicate':
      return firstSeq === 0 ? DUPLICATE : { firstSeq, duplicate: true };
    case 'reused':
      return REUSED;
    default:
      return firstSeq === 0 ? NOTHING : { firstSeq, duplicate: false };
  }
}
