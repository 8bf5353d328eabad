import { FilterTree } from '../../core/filter-tree.ts';

/** A subscription of a connected client that commands may match. */
interface Listening<Client> {
  readonly client: Client;
  readonly filter: string;
}

/** Who listens to commands now: connected clients, by the filters that were granted to them. */
export class CommandAudience<Client> {
  readonly #tree = new FilterTree<Listening<Client>>();
  readonly #byClient = new Map<Client, Map<string, Listening<Client>>>();

  add(client: Client, filter: string): void {
    const own = this.#byClient.get(client) ?? new Map<string, Listening<Client>>();
    if (own.has(filter) || !mayMatchCommands(filter)) return;
    const listening = { client, filter };
    this.#byClient.set(client, own.set(filter, listening));
    this.#tree.add(filter, listening);
  }

  remove(client: Client, filter: string): void {
    const own = this.#byClient.get(client);
    const listening = own?.get(filter);
    if (own === undefined || listening === undefined) return;
    own.delete(filter);
    this.#tree.remove(filter, listening);
    if (own.size === 0) this.#byClient.delete(client);
  }

  removeAll(client: Client): void {
    for (const filter of [...this.filtersOf(client)]) this.remove(client, filter);
  }

  filtersOf(client: Client): Iterable<string> {
    return this.#byClient.get(client)?.keys() ?? [];
  }

  /**
   * Those who get a command, each with its filters; true when it is the device's own, or one that acts for it. Who only
   * watches gets a copy, but a device that is away is not reached by that.
   */
  of(topic: string): ReadonlyMap<Client, boolean> {
    const found = new Map<Client, boolean>();
    for (const { client, filter } of this.#tree.match(topic)) {
      found.set(client, found.get(client) === true || actsFor(filter));
    }
    return found;
  }
}

/** A filter for the commands of a device or of all devices, or for all about one device. Those of `#` or `devices/#` watch. */
export function actsFor(filter: string): boolean {
  return filter.split('/')[2] === 'commands' || deviceNamedIn(filter) !== null;
}

/** The device that a filter is about; null when it may match commands to any. */
export function deviceNamedIn(filter: string): string | null {
  const [first, device = '#'] = filter.split('/');
  return first !== 'devices' || device === '+' || device === '#' ? null : device;
}

/** Most may not: a broker has many subscriptions, and few for commands. */
function mayMatchCommands(filter: string): boolean {
  const [first = '', device = '#', kind = '#'] = filter.split('/');
  return (
    first === '#' || (['devices', '+'].includes(first) && (device === '#' || ['commands', '+', '#'].includes(kind)))
  );
}
