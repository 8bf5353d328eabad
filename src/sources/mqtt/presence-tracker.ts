import type { Presence, Speakers } from '../../core/views.ts';

export type Status = 'online' | 'offline';

export interface PresenceTrackerOptions {
  readonly presence: Presence;
  /** Publishes `devices/{id}/status`. */
  readonly announce: (device: string, status: Status) => void;
  readonly maxDevicesPerSession: number;
}

/** Which devices have a session that speaks for them: the one logged in, or those a trusted client publishes for. */
export class PresenceTracker implements Speakers {
  readonly #options: PresenceTrackerOptions;
  readonly #devices = new Map<object, Set<string>>();
  readonly #sessionCounts = new Map<string, number>();

  constructor(options: PresenceTrackerOptions) {
    this.#options = options;
  }

  start(): void {
    for (const device of this.#options.presence.known()) this.#options.announce(device, 'offline');
  }

  speaks(session: object, device: string): void {
    const devices = this.#devices.get(session) ?? new Set();
    if (devices.has(device) || devices.size >= this.#options.maxDevicesPerSession) return;
    this.#devices.set(session, devices.add(device));
    const count = this.#sessionCounts.get(device) ?? 0;
    this.#sessionCounts.set(device, count + 1);
    if (count === 0) this.#tell(device, 'online');
  }

  /** How many it speaks for. */
  deviceCount(session: object): number {
    return this.#devices.get(session)?.size ?? 0;
  }

  gone(session: object): void {
    for (const device of this.#devices.get(session) ?? []) {
      const count = (this.#sessionCounts.get(device) ?? 1) - 1;
      if (count > 0) {
        this.#sessionCounts.set(device, count);
        continue;
      }
      this.#sessionCounts.delete(device);
      this.#tell(device, 'offline');
    }
    this.#devices.delete(session);
  }

  #tell(device: string, status: Status): void {
    if (status === 'online') this.#options.presence.online(device);
    else this.#options.presence.offline(device);
    this.#options.announce(device, status);
  }
}
