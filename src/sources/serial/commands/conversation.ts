import type { Buffer } from 'node:buffer';
import type { CommandAnswer, Handover } from '../../../core/command.ts';
import type { Answers } from '../answers.ts';
import type { Order } from './command-book.ts';
import type { FoundAnswer } from './response.ts';
import { atItsEnd, MAX_COMMANDS, tooManyWait } from './waiting.ts';

/** What a frame was that is no message: the answer to a command, or one that came when nobody waited any more. */
export type AnswerResult = 'answer' | 'late_answer';

export interface ConversationParts {
  readonly writer: Pick<Answers, 'writeIf'>;
  readonly onAnswer: (result: AnswerResult) => void;
}

/** So long an answer is known that came too late for its command, and not taken for that of the next. */
const LATE_MS = 2_000;
/** The bytes have been taken; there is nobody who could say more. */
const WRITTEN: CommandAnswer = { status: 202 };

/** `queued`: next to be written, behind what else is. */
type State = 'waiting' | 'queued' | 'writing' | 'written' | 'late';

interface Entry {
  readonly order: Order;
  readonly onAnswer: (answer: CommandAnswer) => void;
  readonly handedOver: (handover: Handover) => void;
  timer: NodeJS.Timeout;
  state: State;
}

/**
 * Commands to the devices of a port from when it was opened until it is closed, and their answers. Where only the order
 * says what an answer belongs to, one command at a time is on the line; the others wait in order.
 */
export class Conversation {
  readonly #parts: ConversationParts;
  readonly #entries: Entry[] = [];
  #isClosed = false;

  constructor(parts: ConversationParts) {
    this.#parts = parts;
  }

  /** As a `CommandSink` does. */
  send(order: Order, onAnswer: (answer: CommandAnswer) => void): Promise<Handover> {
    if (this.#isClosed) return Promise.resolve('unreachable');
    if (this.#entries.length >= MAX_COMMANDS) {
      onAnswer(tooManyWait());
      return Promise.resolve('unreachable');
    }
    const { promise, resolve } = Promise.withResolvers<Handover>();
    const timer = atItsEnd(order.command, (requestId) => this.forget(requestId));
    this.#entries.push({ order, onAnswer, handedOver: resolve, timer, state: 'waiting' });
    this.#next();
    return promise;
  }

  forget(requestId: string): void {
    const entry = this.#entries.find(({ order, state }) => order.command.requestId === requestId && state !== 'late');
    if (entry === undefined) return;
    clearTimeout(entry.timer);
    entry.handedOver(isOnLine(entry) ? 'sent' : 'unreachable');
    if (!isOnLine(entry) || entry.order.response === undefined) this.#end(entry);
    else {
      entry.state = 'late';
      entry.timer = setTimeout(() => this.#end(entry), LATE_MS).unref();
    }
  }

  /** True when the frame was an answer, and is no message. */
  take(frame: Buffer): boolean {
    for (const entry of this.#entries) {
      const found = isOnLine(entry) ? entry.order.response?.find(frame) : undefined;
      if (found === undefined || !answers(found, entry.order)) continue;
      const isLate = entry.state === 'late';
      this.#parts.onAnswer(isLate ? 'late_answer' : 'answer');
      this.#end(entry);
      if (!isLate) {
        entry.handedOver('sent');
        entry.onAnswer(found.answer);
      }
      return true;
    }
    return false;
  }

  /** What was not written never is; what was is answered by nobody. */
  close(): void {
    this.#isClosed = true;
    for (const entry of this.#entries.splice(0)) {
      clearTimeout(entry.timer);
      entry.handedOver(isOnLine(entry) ? 'sent' : 'unreachable');
    }
  }

  #next(): void {
    const next = this.#entries.find(({ state }) => state === 'waiting');
    if (next === undefined || this.#entries.some(holdsLine)) return;
    next.state = 'queued';
    void this.#write(next);
  }

  async #write(entry: Entry): Promise<void> {
    const { order, handedOver, onAnswer } = entry;
    const written = await this.#parts.writer.writeIf(order.bytes, () => this.#begins(entry));
    handedOver(written === 'unwanted' ? 'unreachable' : 'sent');
    if (written === 'gone' || entry.state !== 'writing' || !this.#entries.includes(entry)) return;
    entry.state = 'written';
    if (order.response === undefined) {
      this.#end(entry);
      onAnswer(WRITTEN);
    } else this.#next();
  }

  #begins(entry: Entry): boolean {
    if (!this.#entries.includes(entry)) return false;
    entry.state = 'writing';
    return true;
  }

  #end(entry: Entry): void {
    clearTimeout(entry.timer);
    const at = this.#entries.indexOf(entry);
    if (at !== -1) this.#entries.splice(at, 1);
    if (!this.#isClosed) this.#next();
  }
}

/** Some of its bytes are, or were. */
function isOnLine({ state }: Entry): boolean {
  return state !== 'waiting' && state !== 'queued';
}

/** Nothing else is written before it is answered, or given up. */
function holdsLine({ state, order }: Entry): boolean {
  if (state === 'waiting') return false;
  return state === 'queued' || state === 'writing' || order.response?.namesRequest === false;
}

function answers({ requestId }: FoundAnswer, { command, response }: Order): boolean {
  return requestId === undefined ? response?.namesRequest === false : requestId === command.requestId;
}
