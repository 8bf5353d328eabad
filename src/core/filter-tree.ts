interface Node<T> {
  readonly children: Map<string, Node<T>>;
  readonly values: Set<T>;
}

function newNode<T>(): Node<T> {
  return { children: new Map(), values: new Set() };
}

/** Values under topic filters, found by topic name. Says at once that nobody listens, which is the usual case. */
export class FilterTree<T> {
  readonly #root: Node<T> = newNode();

  add(filter: string, value: T): void {
    let node = this.#root;
    for (const level of filter.split('/')) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = newNode();
        node.children.set(level, child);
      }
      node = child;
    }
    node.values.add(value);
  }

  remove(filter: string, value: T): void {
    this.#remove(this.#root, filter.split('/'), 0, value);
  }

  /**
   * The values of all filters that match; a value under several filters comes several times.
   * `hidden`: wildcards at the first level do not see the topic.
   */
  match(topic: string, hidden = isHidden(topic)): readonly T[] {
    const found: T[] = [];
    const { children } = this.#root;
    const slash = topic.indexOf('/');
    const first = slash === -1 ? topic : topic.slice(0, slash);
    if (!children.has(first) && !children.has('#') && !children.has('+')) return found;
    this.#collect(this.#root, { levels: topic.split('/'), found, hidden }, 0);
    return found;
  }

  /** True when the node is left without use. */
  #remove(node: Node<T>, levels: readonly string[], depth: number, value: T): boolean {
    const level = levels[depth];
    if (level === undefined) {
      node.values.delete(value);
    } else {
      const child = node.children.get(level);
      if (child !== undefined && this.#remove(child, levels, depth + 1, value)) node.children.delete(level);
    }
    return node.children.size === 0 && node.values.size === 0;
  }

  #collect(node: Node<T>, search: Search<T>, depth: number): void {
    const wildcards = depth > 0 || !search.hidden;
    // `a/#` matches `a` too [MQTT-4.7.1-2].
    if (wildcards) for (const value of node.children.get('#')?.values ?? []) search.found.push(value);
    const level = search.levels[depth];
    if (level === undefined) {
      for (const value of node.values) search.found.push(value);
      return;
    }
    const exact = node.children.get(level);
    if (exact !== undefined) this.#collect(exact, search, depth + 1);
    const any = wildcards ? node.children.get('+') : undefined;
    if (any !== undefined) this.#collect(any, search, depth + 1);
  }
}

interface Search<T> {
  readonly levels: readonly string[];
  readonly found: T[];
  readonly hidden: boolean;
}

/** [MQTT-4.7.2-1] */
export function isHidden(topic: string): boolean {
  return topic.startsWith('$');
}
