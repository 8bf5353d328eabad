import { isBelowDevices } from './device-topic.ts';
import { FilterTree, isHidden } from './filter-tree.ts';

interface Entry<T> {
  readonly index: number;
  readonly value: T;
}

/**
 * Values under the topic filters of routes: of those whose filter matches, the one that was added first. A wildcard at the
 * first level sees nothing below `devices/`, where every device may publish: it would take the id of one for a name.
 */
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
    for (const entry of this.#tree.match(topic, isHidden(topic) || isBelowDevices(topic))) {
      if (first === undefined || entry.index < first.index) first = entry;
    }
    return first?.value;
  }
}
