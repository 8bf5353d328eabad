import { FilterTree } from '../../core/filter-tree.ts';

interface Topical {
  readonly topic: string;
}

/** What aedes subscribes for a client: it queues the packet for writing and calls back when it was written. */
export type Deliver = (packet: Topical, done: () => void) => void;

/**
 * The emitter in which aedes keeps the subscriptions of connected clients (its `mq` option). Unlike the stock one it
 * delivers at once, in the order of `emit`, and waits for nobody: there, one subscriber that does not read stops the
 * delivery to all others until it is disconnected. It also answers at once: aedes keeps a list beside this one, and a
 * SUBSCRIBE that it handles between the two would find the filter still there.
 */
export class Hub {
  readonly #tree = new FilterTree<Deliver>();

  on(filter: string, deliver: Deliver, done?: () => void): void {
    this.#tree.add(filter, deliver);
    done?.();
  }

  removeListener(filter: string, deliver: Deliver, done?: () => void): void {
    this.#tree.remove(filter, deliver);
    done?.();
  }

  emit(packet: Topical, done?: () => void): void {
    const found = this.#tree.match(packet.topic);
    // A client with many filters that match gets it once: aedes would throw the others away, each a turn later.
    for (const deliver of found.length > 1 ? new Set(found) : found) deliver(packet, ignore);
    done?.();
  }

  close(done?: () => void): void {
    if (done !== undefined) setImmediate(done);
  }
}

function ignore(): void {}
