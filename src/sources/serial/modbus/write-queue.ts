import type { CommandAnswer, Handover } from '../../../core/command.ts';
import { atItsEnd, MAX_COMMANDS, tooManyWait } from '../commands/waiting.ts';
import type { WriteOrder } from './write-plan.ts';

/** A command whose turn on the line has come, or is to come. */
export interface PendingWrite {
  readonly order: WriteOrder;
  /** A request of it is about to be written; false when nobody waits for it any more. */
  begins(): boolean;
  answer(answer: CommandAnswer): void;
}

/** Commands that wait for their turn on a line, in order. */
export class WriteQueue {
  readonly #waiting: Entry[] = [];
  #running: Entry | undefined;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** As a `CommandSink` does. */
  add(order: WriteOrder, onAnswer: (answer: CommandAnswer) => void): Promise<Handover> {
    if (this.#waiting.length >= MAX_COMMANDS) {
      onAnswer(tooManyWait());
      return Promise.resolve('unreachable');
    }
    const { promise, resolve } = Promise.withResolvers<Handover>();
    const timer = atItsEnd(order.command, (requestId) => this.forget(requestId));
    this.#waiting.push(new Entry(order, { onAnswer, onHandover: resolve, timer }));
    return promise;
  }

  /** The next one; undefined when there is none. */
  take(): PendingWrite | undefined {
    this.#running = this.#waiting.shift();
    return this.#running;
  }

  forget(requestId: string): void {
    const isIt = ({ order }: Entry): boolean => order.command.requestId === requestId;
    if (this.#running !== undefined && isIt(this.#running)) this.#running.end();
    const at = this.#waiting.findIndex(isIt);
    if (at !== -1) this.#waiting.splice(at, 1)[0]?.end();
  }

  /** What was not written never is. */
  close(): void {
    this.#running?.end();
    for (const entry of this.#waiting.splice(0)) entry.end();
  }
}

interface EntryParts {
  readonly onAnswer: (answer: CommandAnswer) => void;
  readonly onHandover: (handover: Handover) => void;
  readonly timer: NodeJS.Timeout;
}

class Entry implements PendingWrite {
  readonly order: WriteOrder;
  readonly #parts: EntryParts;
  #isWanted = true;

  constructor(order: WriteOrder, parts: EntryParts) {
    this.order = order;
    this.#parts = parts;
  }

  begins(): boolean {
    if (this.#isWanted) this.#parts.onHandover('sent');
    return this.#isWanted;
  }

  answer(answer: CommandAnswer): void {
    if (this.#isWanted) this.#parts.onAnswer(answer);
    this.end();
  }

  /** What has begun was handed over already. */
  end(): void {
    this.#isWanted = false;
    clearTimeout(this.#parts.timer);
    this.#parts.onHandover('unreachable');
  }
}
