import type { Seq } from '../../src/core/record.ts';
import type { DeviceRow, StateStore } from '../../src/core/state-store.ts';

/** What would be on disk. */
class Memory {
  readonly devices = new Map<string, DeviceRow>();
  readonly owners = new Map<string, string>();
  readonly paused = new Set<string>();
  seenUpTo: Seq = 0;
}

/** Keeps the promises of the port in memory. A test can make it slow or broken. */
export class FakeStateStore implements StateStore {
  readonly #memory: Memory;
  /** Names of the writes so far, in order. */
  readonly calls: string[] = [];
  /** Awaited before every write is answered; a test replaces it. */
  beforeAnswer: (call: string) => Promise<void> = () => Promise.resolve();

  constructor(memory = new Memory()) {
    this.#memory = memory;
  }

  /** Another one on the same data, as after a restart. */
  reopened(): FakeStateStore {
    return new FakeStateStore(this.#memory);
  }

  async loadDevices(): Promise<readonly DeviceRow[]> {
    return [...this.#memory.devices.values()];
  }

  putSecret(id: string, secretHash: string): Promise<void> {
    const row = this.#memory.devices.get(id) ?? { firstSeenAt: null, lastSeenAt: null, latest: null };
    this.#memory.devices.set(id, { ...row, id, secretHash });
    return this.#answer('putSecret', undefined);
  }

  removeDevice(id: string): Promise<boolean> {
    for (const [clientId, owner] of this.#memory.owners) if (owner === id) this.#memory.owners.delete(clientId);
    return this.#answer('removeDevice', this.#memory.devices.delete(id));
  }

  claimClientId(clientId: string, owner: string, _at: number): Promise<boolean> {
    const { owners, devices } = this.#memory;
    const isKept = typeof devices.get(clientId)?.secretHash === 'string';
    const holder = clientId === owner ? owner : (owners.get(clientId) ?? (isKept ? clientId : owner));
    if (holder === owner) owners.set(clientId, owner);
    return this.#answer('claimClientId', holder === owner);
  }

  saveSeen(rows: readonly DeviceRow[], upTo: Seq): Promise<void> {
    for (const row of rows) {
      const secretHash = this.#memory.devices.get(row.id)?.secretHash ?? null;
      this.#memory.devices.set(row.id, { ...row, secretHash });
    }
    this.#memory.seenUpTo = upTo;
    return this.#answer('saveSeen', undefined);
  }

  async seenUpTo(): Promise<Seq> {
    return this.#memory.seenUpTo;
  }

  setPaused(uplink: string, paused: boolean): Promise<void> {
    if (paused) this.#memory.paused.add(uplink);
    else this.#memory.paused.delete(uplink);
    return this.#answer('setPaused', undefined);
  }

  async pausedUplinks(): Promise<readonly string[]> {
    return [...this.#memory.paused];
  }

  async #answer<T>(call: string, answer: T): Promise<T> {
    this.calls.push(call);
    await this.beforeAnswer(call);
    return answer;
  }
}
