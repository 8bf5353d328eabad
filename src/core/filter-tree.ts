import { ownText } from './own-copy.ts';

/** A level of filters. What most nodes do not need they do not have: there are as many as filters have levels. */
interface Node<T> {
  readonly parent: Node<T> | undefined;
  readonly level: string;
  children: Map<string, Node<T>> | undefined;
  values: Set<T> | undefined;
}

function newNode<T>(parent: Node<T> | undefined, level: string): Node<T> {
  return { parent, level, children: undefined, values: undefined };
}

/** Values under topic filters, found by topic name. Says at once that nobody listens, which is the usual case. */
export class FilterTree<T> {
  readonly #root: Node<T> = newNode(undefined, '');
  /** The last node of each filter that has values: a client takes hundreds of filters with it when it leaves. */
  readonly #ends = new Map<string, Node<T>>();

  add(filter: string, value: T): void {
    const end = this.#ends.get(filter) ?? this.#grow(filter);
    end.values ??= new Set();
    end.values.add(value);
  }

  remove(filter: string, value: T): void {
    const end = this.#ends.get(filter);
    if (end?.values?.delete(value) !== true || end.values.size > 0) return;
    end.values = undefined;
    this.#ends.delete(filter);
    prune(end);
  }

  /**
   * The values of all filters that match; a value under several filters comes several times.
   * `hidden`: wildcards at the first level do not see the topic.
   */
  match(topic: string, hidden = isHidden(topic)): readonly T[] {
    const found: T[] = [];
    const { children } = this.#root;
    if (children === undefined) return found;
    const slash = topic.indexOf('/');
    const first = slash === -1 ? topic : topic.slice(0, slash);
    if (!children.has(first) && !children.has('#') && !children.has('+')) return found;
    this.#collect(this.#root, { levels: topic.split('/'), found, hidden }, 0);
    return found;
  }

  #grow(filter: string): Node<T> {
    let node = this.#root;
    for (const level of filter.split('/')) {
      node.children ??= new Map();
      let child = node.children.get(level);
      if (child === undefined) {
        child = newNode(node, ownText(level));
        node.children.set(child.level, child);
      }
      node = child;
    }
    this.#ends.set(filter, node);
    return node;
  }

  #collect(node: Node<T>, search: Search<T>, depth: number): void {
    const wildcards = depth > 0 || !search.hidden;
    // `a/#` matches `a` too [MQTT-4.7.1-2].
    if (wildcards) for (const value of node.children?.get('#')?.values ?? []) search.found.push(value);
    const level = search.levels[depth];
    if (level === undefined) {
      for (const value of node.values ?? []) search.found.push(value);
      return;
    }
    const exact = node.children?.get(level);
    if (exact !== undefined) this.#collect(exact, search, depth + 1);
    const any = wildcards ? node.children?.get('+') : undefined;
    if (any !== undefined) this.#collect(any, search, depth + 1);
  }
}

/** Takes away what is left without use: the whole branch that leads to nothing but the end of a filter, in one cut. */
function prune<T>(end: Node<T>): void {
  if (end.children !== undefined && end.children.size > 0) return;
  let branch = end;
  while (branch.parent !== undefined && leadsNowhereElse(branch.parent)) branch = branch.parent;
  branch.parent?.children?.delete(branch.level);
}

/** The root stays. */
function leadsNowhereElse<T>({ parent, values, children }: Node<T>): boolean {
  return parent !== undefined && values === undefined && children?.size === 1;
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
