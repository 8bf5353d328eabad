import { Buffer } from 'node:buffer';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { MessagePort } from 'node:worker_threads';
import type { RpcClient } from '../../../platform/rpc.ts';
import { ByteRing } from './byte-ring.ts';
import { READ_BYTES } from './line-reader.ts';
import type { PortReading, ReadingOptions } from './port-reading.ts';
import type { ReadOperations, Told } from './read-server.ts';

export interface ReadClientParts {
  readonly rpc: RpcClient<ReadOperations>;
  /** The other end of the server's. */
  readonly signals: MessagePort;
  readonly told: Told;
}

/** What a line of 1 MB/s says in an eighth of a second. */
const RING_BYTES = 128 * 1024;
/** For a device that is told to wait. */
const SHORT_RING_BYTES = 2 * READ_BYTES;
/** So much is delivered at a stretch; then what else the thread has to do has its turn, as the answers of the store. */
const BURST_BYTES = 4 * READ_BYTES;
/** For what was read and not delivered when a port is closed. */
const DRAIN_MS = 250;

/** The thread that reads, as the one that decodes sees it. */
export class ReadClient {
  readonly #parts: ReadClientParts;
  readonly #readings = new Map<number, RingReading>();
  #lastId = 0;

  constructor(parts: ReadClientParts) {
    this.#parts = parts;
    parts.signals.on('message', () => this.#look());
  }

  /** As an `OpenReading` does. */
  async open(path: string, { isPrompt, waitsForRoom }: ReadingOptions): Promise<PortReading> {
    const { rpc, signals } = this.#parts;
    this.#lastId += 1;
    const id = this.#lastId;
    const ring = ByteRing.of(waitsForRoom ? SHORT_RING_BYTES : RING_BYTES);
    await rpc.call('open', { id, path, memory: ring.memory, isPrompt });
    const reading = new RingReading({
      ring,
      start: () => rpc.call('start', id),
      wake: () => signals.postMessage(id),
      catchUp: () => rpc.call('catchUp', id),
      close: () => rpc.call('close', id),
      forget: () => void this.#readings.delete(id),
    });
    this.#readings.set(id, reading);
    return reading;
  }

  #look(): void {
    this.#parts.told.clear();
    for (const reading of this.#readings.values()) reading.deliver();
  }
}

interface RingReadingParts {
  readonly ring: ByteRing;
  readonly start: () => Promise<void>;
  /** There is room again. */
  readonly wake: () => void;
  readonly catchUp: () => Promise<void>;
  readonly close: () => Promise<void>;
  readonly forget: () => void;
}

class RingReading implements PortReading {
  readonly #parts: RingReadingParts;
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES);
  readonly #over = Promise.withResolvers<void>();
  #onBytes: ((bytes: Buffer) => Promise<void> | undefined) | undefined;
  #isHeld = false;
  #burstBytes = 0;

  constructor(parts: RingReadingParts) {
    this.#parts = parts;
  }

  async read(onBytes: (bytes: Buffer) => Promise<void> | undefined): Promise<void> {
    this.#onBytes = onBytes;
    await this.#tried(this.#parts.start());
    await this.#over.promise;
  }

  async caughtUp(): Promise<void> {
    await this.#tried(this.#parts.catchUp());
    this.deliver();
  }

  async close(): Promise<void> {
    await this.#tried(this.#parts.close());
    this.deliver();
    // One that nobody reads has nothing to deliver.
    if (this.#onBytes !== undefined)
      await Promise.race([this.#over.promise, delay(DRAIN_MS, undefined, { ref: false })]);
    this.#onBytes = undefined;
    this.#parts.forget();
    this.#over.resolve();
  }

  /** All that is there, unless what was delivered before is to be waited for. */
  deliver(): void {
    const { ring, wake } = this.#parts;
    while (this.#onBytes !== undefined && !this.#isHeld) {
      const { isEnded } = ring;
      const count = ring.take(this.#buffer);
      if (ring.makesRoom()) wake();
      if (count === 0) {
        this.#burstBytes = 0;
        if (isEnded) this.#over.resolve();
        return;
      }
      this.#burstBytes += count;
      this.#hold(this.#onBytes(this.#buffer.subarray(0, count)));
    }
  }

  #hold(taken: Promise<void> | undefined): void {
    const rest = this.#burstBytes < BURST_BYTES ? taken : Promise.all([taken, nextTurn()]);
    if (rest === undefined) return;
    if (rest !== taken) this.#burstBytes = 0;
    this.#isHeld = true;
    void rest.then(() => {
      this.#isHeld = false;
      this.deliver();
    });
  }

  /** It can only fail when the thread is gone, and the process with it. */
  async #tried(call: Promise<void>): Promise<void> {
    await call.catch(() => undefined);
  }
}
