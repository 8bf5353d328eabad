import { Buffer } from 'node:buffer';
import { ByteBudget, type ByteBudgetLimits } from './byte-budget.ts';
import { levelCount } from './topics.ts';

/** A level of a filter is a node of the tree: measured 260 with Node 24, and some are nodes of a second tree. */
const LEVEL_BYTES = 400;

/** What the topic filters of all sessions may take in memory together, and each device's of that. */
export class FilterBudget {
  readonly #bytes: ByteBudget;

  constructor(limits: ByteBudgetLimits) {
    this.#bytes = new ByteBudget(limits);
  }

  hasRoom(owner: string, filter: string): boolean {
    return this.#bytes.hasRoom(owner, bytesOf(filter));
  }

  take(owner: string, filter: string): void {
    this.#bytes.take(owner, bytesOf(filter));
  }

  give(owner: string, filter: string): void {
    this.#bytes.give(owner, bytesOf(filter));
  }
}

/** The text is there twice: as it came, and cut into levels. */
function bytesOf(filter: string): number {
  return 2 * Buffer.byteLength(filter) + LEVEL_BYTES * levelCount(filter);
}
