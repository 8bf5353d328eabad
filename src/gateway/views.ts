import { release } from 'node:os';
import type { LogStats } from '../core/ports.ts';
import type {
  DeviceDirectory,
  DeviceRegistry,
  GatewayInfo,
  GatewayViews,
  HealthPart,
  MessageCounts,
  UplinkControl,
  UplinkView,
  WearView,
} from '../core/views.ts';
import type { Clock } from '../platform/clock.ts';
import { VERSION } from '../platform/version.ts';
import type { RefusedCounts } from './refused-counts.ts';
import type { StatsPoll } from './stats-poll.ts';
import type { Wear } from './wear.ts';

export interface ViewsParts {
  readonly devices: DeviceDirectory & DeviceRegistry;
  readonly uplinks: UplinkControl;
  readonly stats: StatsPoll;
  readonly wear: Wear;
  readonly clock: Clock;
  readonly identity: { readonly gatewayId: string; readonly epoch: string; readonly dataDir: string };
  readonly mqtt: {
    clientCount(): number;
    deniedCount(): number;
    localCount(): number;
    forget(device: string): Promise<void>;
  };
  readonly ingest: { settled(): Promise<void> };
  readonly refused: RefusedCounts;
}

/** What the API, the metrics and `sluice status` read; nothing here waits for anything. */
export class Views implements GatewayViews {
  readonly #parts: ViewsParts;
  readonly #startedAt = Date.now();

  constructor(parts: ViewsParts) {
    this.#parts = parts;
  }

  get devices(): DeviceDirectory {
    return this.#parts.devices;
  }

  get registry(): DeviceRegistry {
    const { devices, ingest, mqtt } = this.#parts;
    return {
      add: (id, secret) => devices.add(id, secret),
      adopt: (id, secretHash) => devices.adopt(id, secretHash),
      remove: async (id) => {
        const removed = await devices.remove(id);
        await mqtt.forget(id);
        // What its connections had sent made it known again.
        await ingest.settled();
        return (await devices.remove(id)) || removed;
      },
    };
  }

  get uplinks(): UplinkControl {
    return this.#parts.uplinks;
  }

  info(): GatewayInfo {
    const { gatewayId, epoch, dataDir } = this.#parts.identity;
    return {
      id: gatewayId,
      epoch,
      version: VERSION,
      startedAt: this.#startedAt,
      clock: this.#parts.clock.state(),
      platform: { node: process.version, arch: process.arch, kernel: release() },
      dataDir,
    };
  }

  stats(): LogStats {
    return this.#parts.stats.latest();
  }

  arrivalRate(uplink: string): number {
    return this.#parts.stats.arrivalRate(uplink);
  }

  wear(): WearView {
    return this.#parts.wear.view();
  }

  mqttClientCount(): number {
    return this.#parts.mqtt.clientCount();
  }

  messages(): MessageCounts {
    const { mqtt, refused } = this.#parts;
    return { refused: refused.list(), denied: mqtt.deniedCount(), local: mqtt.localCount() };
  }

  health(): readonly HealthPart[] {
    return [this.#storeHealth(), this.#clockHealth(), ...this.#parts.uplinks.list().map(uplinkHealth)];
  }

  #storeHealth(): HealthPart {
    const stuck = this.#parts.stats.isStuck() ? 'the disk has not answered for more than ten seconds' : null;
    const reason = stuck ?? this.stats().full;
    return { name: 'store', status: reason === null ? 'ok' : 'failed', reason };
  }

  #clockHealth(): HealthPart {
    const unsynced = this.#parts.clock.state() === 'unsynced';
    const reason = unsynced ? 'the clock is not synchronised: times of records are marked as such' : null;
    return { name: 'clock', status: unsynced ? 'degraded' : 'ok', reason };
  }
}

function uplinkHealth({ name, link }: UplinkView): HealthPart {
  const reason = link.state === 'up' ? null : (link.reason ?? link.state);
  return { name: `uplink:${name}`, status: reason === null ? 'ok' : 'degraded', reason };
}
