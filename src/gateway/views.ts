import { release } from 'node:os';
import type { CommandCounts } from '../core/commands.ts';
import type { LogStats } from '../core/log-stats.ts';
import type {
  DeviceDirectory,
  DeviceRegistry,
  GatewayInfo,
  GatewayViews,
  HealthPart,
  MessageCounts,
  OfferedSerialPort,
  SerialPortView,
  UplinkControl,
  UplinkView,
  WearView,
} from '../core/views.ts';
import type { CommandDesk } from '../devices/commands/command-desk.ts';
import type { ThreadName } from '../platform/beats.ts';
import type { Clock } from '../platform/clock.ts';
import { VERSION } from '../platform/version.ts';
import { offeredPorts } from './found-ports.ts';
import type { RefusedCounts } from './refused-counts.ts';
import type { StatsPoll } from './stats-poll.ts';
import type { Wear } from './wear.ts';

export interface ViewsParts {
  readonly devices: DeviceDirectory & DeviceRegistry;
  readonly commands: CommandDesk;
  readonly uplinks: UplinkControl;
  readonly stats: StatsPoll;
  readonly watch: { whyStuck(thread: ThreadName): string | null };
  readonly wear: Wear;
  readonly clock: Clock;
  readonly identity: { readonly gatewayId: string; readonly epoch: string; readonly dataDir: string };
  readonly mqtt: {
    clientCount(): number;
    deniedCount(): number;
    localCount(): number;
    ignoredResponses(): CommandCounts['ignoredResponses'];
    refusedCommands(): CommandCounts['refused'];
    forget(device: string): Promise<void>;
  };
  readonly serial: { ports(): readonly SerialPortView[] };
  readonly ingest: { settled(): Promise<void> };
  readonly refused: RefusedCounts;
}

/** Of a Modbus line, where health says which of its units have a fault. */
const NAMED_UNITS = 3;

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
    const { commands, devices, ingest, mqtt } = this.#parts;
    return {
      add: (id, secret) => devices.add(id, secret),
      adopt: (id, secretHash) => devices.adopt(id, secretHash),
      remove: async (id) => {
        const removed = await devices.remove(id);
        await mqtt.forget(id);
        // What its connections had sent made it known again.
        await ingest.settled();
        commands.cancelAllOf(id);
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

  serialPorts(): readonly SerialPortView[] {
    return this.#parts.serial.ports();
  }

  offeredSerialPorts(): Promise<readonly OfferedSerialPort[]> {
    return offeredPorts(this.serialPorts());
  }

  messages(): MessageCounts {
    const { mqtt, refused } = this.#parts;
    return { refused: refused.list(), denied: mqtt.deniedCount(), local: mqtt.localCount() };
  }

  commands(): CommandCounts {
    const { commands, mqtt } = this.#parts;
    return { ...commands.counts(), ignoredResponses: mqtt.ignoredResponses(), refused: mqtt.refusedCommands() };
  }

  health(): readonly HealthPart[] {
    const { uplinks, serial } = this.#parts;
    const links = uplinks.list().map(uplinkHealth);
    const ports = serial.ports().map(portHealth);
    return [
      this.#storeHealth(),
      this.#clockHealth(),
      ...links,
      ...ports,
      ...this.#salvageHealth(),
      ...this.#threadHealth('reader', 'reader-worker'),
      ...this.#threadHealth('serial', 'serial-worker'),
    ];
  }

  #storeHealth(): HealthPart {
    const { stats, watch } = this.#parts;
    const reason = watch.whyStuck('store-worker') ?? stats.failure() ?? stats.latest().full;
    return { name: 'store', status: reason === null ? 'ok' : 'failed', reason };
  }

  /** Named only when something is wrong: as a rule nobody needs it. */
  #threadHealth(name: string, thread: ThreadName): readonly HealthPart[] {
    const reason = this.#parts.watch.whyStuck(thread);
    return reason === null ? [] : [{ name, status: 'degraded', reason }];
  }

  #salvageHealth(): readonly HealthPart[] {
    const { salvageStuck: why } = this.#parts.stats.latest();
    if (why === null) return [];
    const reason = `nothing is forwarded until the disk gives the damaged log that is put back (${why})`;
    return [{ name: 'salvage', status: 'degraded', reason }];
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

/** A port that is not there is no fault: it may come at any time. One whose units do not say what they are asked is. */
function portHealth({ name, reason, units }: SerialPortView): HealthPart {
  const faults = units.flatMap((unit) => (unit.reason === null ? [] : [`unit ${unit.unitId}: ${unit.reason}`]));
  const more = faults.length > NAMED_UNITS ? [`and ${faults.length - NAMED_UNITS} more units`] : [];
  const why = reason ?? ([...faults.slice(0, NAMED_UNITS), ...more].join('; ') || null);
  return { name: `serial:${name}`, status: why === null ? 'ok' : 'degraded', reason: why };
}
