import { FilterTree } from './filter-tree.ts';

interface Entry<T> {
  readonly index: number;
  readonly value: T;
}

/** Values under topic filters: of those whose filter matches, the one that was added first. */
export class FirstMatch<T> {
  readonly #tree = new FilterTree<Entry<T>>();
  #count = 0;

  add(filter: string, value: T): void {
    this.#tree.add(filter, { index: this.#count, value });
    this.#count += 1;
  }

  /** In about as many steps as the topic has levels. */
  find(topic: string): T | undefined {
    let first: Entry<T> | undefined;
    for (const entry of this.#tree.match(topic)) {
      if (first === undefined || entry.index < first.index) first = entry;
    }
    return first?.value;
  }
}
