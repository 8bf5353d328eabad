import type { Seq } from '../core/record.ts';
import type { DeviceRow, StateStore } from '../core/state-store.ts';
import type { State } from '../store/state/state.ts';

/** `state.db` on this thread, for commands while no daemon runs. */
export class LocalState implements StateStore {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  async loadDevices(): Promise<readonly DeviceRow[]> {
    return this.#state.loadDevices();
  }

  async putSecret(id: string, secretHash: string): Promise<void> {
    this.#state.putSecret(id, secretHash);
  }

  async removeDevice(id: string): Promise<boolean> {
    return this.#state.removeDevice(id);
  }

  async claimClientId(clientId: string, owner: string, at: number): Promise<boolean> {
    return this.#state.claimClientId(clientId, owner, at);
  }

  async saveSeen(rows: readonly DeviceRow[], upTo: Seq): Promise<void> {
    this.#state.saveSeen(rows, upTo);
  }

  async seenUpTo(): Promise<Seq> {
    return this.#state.seenUpTo();
  }

  async setPaused(uplink: string, paused: boolean): Promise<void> {
    this.#state.setPaused(uplink, paused);
  }

  async pausedUplinks(): Promise<readonly string[]> {
    return this.#state.pausedUplinks();
  }

  close(): void {
    this.#state.close();
  }
}
