export const THREADS = ['main', 'store-worker', 'uplink-worker', 'reader-worker', 'serial-worker'] as const;

export type ThreadName = (typeof THREADS)[number];

const CELLS = { beat: 0, told: THREADS.length, armed: 2 * THREADS.length };
const ENDING = CELLS.armed + 1;
const HELD = CELLS.armed + 2;
const CELL_COUNT = CELLS.armed + 3;

/** What each thread says of itself to all others, in memory that they share: nobody has to answer, or to ask. */
export class Beats {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Int32Array;

  /** `memory`: of the Beats of another thread. */
  constructor(memory = new SharedArrayBuffer(CELL_COUNT * Int32Array.BYTES_PER_ELEMENT)) {
    this.memory = memory;
    this.#cells = new Int32Array(memory);
  }

  /** 0 for a thread that does not run. */
  count(thread: ThreadName): number {
    return Atomics.load(this.#cells, cellOf('beat', thread));
  }

  beat(thread: ThreadName): void {
    if (this.count(thread) !== 0) Atomics.add(this.#cells, cellOf('beat', thread), 1);
  }

  add(thread: ThreadName): void {
    Atomics.store(this.#cells, cellOf('beat', thread), 1);
    Atomics.store(this.#cells, cellOf('told', thread), 0);
  }

  /** Once the thread has ended: a beat that came later would bring it back. */
  remove(thread: ThreadName): void {
    Atomics.store(this.#cells, cellOf('beat', thread), 0);
  }

  /** From now on silence counts, that of the main thread too. */
  arm(): void {
    this.add('main');
    Atomics.store(this.#cells, CELLS.armed, 1);
  }

  isArmed(): boolean {
    return Atomics.load(this.#cells, CELLS.armed) === 1;
  }

  /** While a debugger may hold a thread, silence ends nothing. */
  hold(isHeld: boolean): void {
    Atomics.store(this.#cells, HELD, Number(isHeld));
  }

  isHeld(): boolean {
    return Atomics.load(this.#cells, HELD) === 1;
  }

  /** True for the one that is to say that the thread is silent; or, with `isSilent` false, that it is not any more. */
  claimWord(thread: ThreadName, isSilent: boolean): boolean {
    const before = Number(!isSilent);
    return Atomics.compareExchange(this.#cells, cellOf('told', thread), before, Number(isSilent)) === before;
  }

  /** True for the one that is to end the process. */
  claimEnd(): boolean {
    return Atomics.compareExchange(this.#cells, ENDING, 0, 1) === 0;
  }
}

function cellOf(kind: 'beat' | 'told', thread: ThreadName): number {
  return CELLS[kind] + THREADS.indexOf(thread);
}
