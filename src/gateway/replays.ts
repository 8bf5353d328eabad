import type { NewReplay, ReplayStats, ReplayStore } from '../core/log-stats.ts';

/** Replays as the API asks for them: kept by the store, and told to who sends them. */
export class Replays implements ReplayStore {
  readonly #store: ReplayStore;
  readonly #told: () => void;

  constructor(store: ReplayStore, told: () => void) {
    this.#store = store;
    this.#told = told;
  }

  async addReplay(replay: NewReplay): Promise<ReplayStats> {
    const added = await this.#store.addReplay(replay);
    this.#told();
    return added;
  }

  replays(): Promise<readonly ReplayStats[]> {
    return this.#store.replays();
  }

  removeReplay(id: number): Promise<boolean> {
    return this.#store.removeReplay(id);
  }
}
