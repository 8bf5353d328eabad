import type { InnerCluster } from './inner-cluster.ts';

type Find = InnerCluster['findGroupCoordinator'];

/**
 * Who coordinates each group and transactional id, as long as that is believed. kafkajs asks before every step of a
 * transaction: four round trips in place of none. It never asks by itself whether a coordinator has moved.
 */
export class KeptCoordinators {
  readonly #ask: Find;
  readonly #kept = new Map<string, ReturnType<Find>>();

  constructor(ask: Find) {
    this.#ask = ask;
  }

  readonly find: Find = (what) => {
    const key = `${what.coordinatorType ?? 0} ${what.groupId}`;
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    const found = this.#ask(what);
    this.#kept.set(key, found);
    found.catch(() => this.#kept.delete(key));
    return found;
  };

  /** The next to need one asks. */
  forget(): void {
    this.#kept.clear();
  }
}
