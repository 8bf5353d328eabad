import type { MessagePort } from 'node:worker_threads';
import { serve } from '../../../platform/rpc.ts';
import { ByteRing } from './byte-ring.ts';
import { LineReader, READ_BYTES } from './line-reader.ts';

/** What the thread that reads is asked. Each port has a number, given by the one that asks. */
export type ReadOperations = {
  open: { args: PortToRead; result: undefined };
  start: { args: number; result: undefined };
  catchUp: { args: number; result: undefined };
  close: { args: number; result: undefined };
};

export interface PortToRead {
  readonly id: number;
  readonly path: string;
  readonly memory: SharedArrayBuffer;
  readonly isPrompt: boolean;
}

export interface ReadServerParts {
  /** Where it is asked. */
  readonly main: MessagePort;
  /** Out: bytes have come, or a port is gone. In: the number of a port whose ring has room again. */
  readonly signals: MessagePort;
  readonly told: Told;
}

/** So that bytes of many pieces and ports are told of by one signal, as long as nobody has looked for them. */
export class Told {
  readonly memory: SharedArrayBuffer;
  readonly #cell: Int32Array;

  constructor(memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#cell = new Int32Array(memory);
  }

  get isSet(): boolean {
    return Atomics.load(this.#cell, 0) === 1;
  }

  /** True when it was not before. */
  set(): boolean {
    return Atomics.exchange(this.#cell, 0, 1) === 0;
  }

  /** Before it is looked. */
  clear(): void {
    Atomics.store(this.#cell, 0, 0);
  }
}

const NEVER_WOKEN = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

interface Line {
  readonly reader: LineReader;
  readonly ring: ByteRing;
  readonly isPrompt: boolean;
}

/** Bytes of ports on which nothing depends that soon are told of no more often than this. */
const SPREAD_MS = 8;

/** So long the thread sleeps after it has read, and then reads what has come of all ports: the system holds 8 ms of 1 MB/s. */
const REST_MS = 2;

/** The end of the thread that does nothing but read: it collects no garbage worth the name, and decodes nothing. */
export class ReadServer {
  readonly #parts: ReadServerParts;
  readonly #lines = new Map<number, Line>();
  /** Lines for which nobody sleeps. */
  #promptCount = 0;
  #rest: NodeJS.Immediate | undefined;
  #toldAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: ReadServerParts) {
    this.#parts = parts;
  }

  start(): void {
    const { main, signals } = this.#parts;
    const operations: { [Op in keyof ReadOperations]: (args: ReadOperations[Op]['args']) => Promise<void> } = {
      open: (port) => this.#open(port),
      start: async (id) => this.#start(id),
      catchUp: async (id) => await this.#lines.get(id)?.reader.caughtUp(),
      close: (id) => this.#close(id),
    };
    serve(main, (op, args: never, reply) => reply.settle(operations[op as keyof ReadOperations](args)));
    signals.on('message', (id: number) => this.#lines.get(id)?.reader.resume());
  }

  async #open({ id, path, memory, isPrompt }: PortToRead): Promise<void> {
    this.#lines.set(id, { reader: await LineReader.open(path), ring: new ByteRing(memory), isPrompt });
    if (isPrompt) this.#promptCount += 1;
  }

  #start(id: number): void {
    const line = this.#lines.get(id);
    if (line === undefined) return;
    const { reader, ring, isPrompt } = line;
    const reading = reader.read((bytes) => {
      ring.put(bytes);
      this.#tell(isPrompt);
      if (this.#promptCount === 0) this.#restLater();
      return ring.room >= READ_BYTES || !ring.waitsForRoom(READ_BYTES);
    });
    void reading.then(() => {
      ring.end();
      this.#tell(true);
    });
  }

  async #close(id: number): Promise<void> {
    const line = this.#lines.get(id);
    this.#lines.delete(id);
    if (line?.isPrompt) this.#promptCount -= 1;
    await line?.reader.close();
  }

  /** When all that the system has told of is read. */
  #restLater(): void {
    this.#rest ??= setImmediate(() => {
      this.#rest = undefined;
      Atomics.wait(NEVER_WOKEN, 0, 0, REST_MS);
    });
  }

  #tell(isPrompt: boolean): void {
    if (this.#parts.told.isSet) return;
    const waitMs = isPrompt ? 0 : this.#toldAt + SPREAD_MS - performance.now();
    if (waitMs <= 0) this.#signal();
    else this.#timer ??= setTimeout(() => this.#signal(), waitMs);
  }

  #signal(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#toldAt = performance.now();
    if (this.#parts.told.set()) this.#parts.signals.postMessage(undefined);
  }
}
