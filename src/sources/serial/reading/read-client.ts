import { Buffer } from 'node:buffer';
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
  async open(path: string, { isPrompt }: ReadingOptions): Promise<PortReading> {
    const { rpc, signals } = this.#parts;
    this.#lastId += 1;
    const id = this.#lastId;
    const ring = new ByteRing();
    await rpc.call('open', { id, path, memory: ring.memory, isPrompt });
    const reading = new RingReading({
      ring,
      start: () => rpc.call('start', id),
      wake: () => signals.postMessage(id),
      catchUp: () => rpc.call('catchUp', id),
      close: () => {
        this.#readings.delete(id);
        return rpc.call('close', id);
      },
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
}

class RingReading implements PortReading {
  readonly #parts: RingReadingParts;
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES);
  readonly #over = Promise.withResolvers<void>();
  #onBytes: ((bytes: Buffer) => Promise<void> | undefined) | undefined;
  #isHeld = false;

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
    this.#onBytes = undefined;
    await this.#tried(this.#parts.close());
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
        if (isEnded) this.#over.resolve();
        return;
      }
      this.#hold(this.#onBytes(this.#buffer.subarray(0, count)));
    }
  }

  #hold(taken: Promise<void> | undefined): void {
    if (taken === undefined) return;
    this.#isHeld = true;
    void taken.then(() => {
      this.#isHeld = false;
      this.deliver();
    });
  }

  /** It can only fail when the thread is gone, and the process with it. */
  async #tried(call: Promise<void>): Promise<void> {
    await call.catch(() => undefined);
  }
}
