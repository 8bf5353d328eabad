import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../core/errors.ts';
import type { Stage } from '../core/ports.ts';
import type { Seq } from '../core/record.ts';
import type { StateStore } from '../core/state-store.ts';
import type {
  AccessControl,
  DeviceDirectory,
  DeviceRegistry,
  DeviceView,
  LatestMetric,
  Observation,
  Presence,
} from '../core/views.ts';
import type { Logger } from '../platform/logger.ts';
import { catchUp, type ReadRecords } from './catch-up.ts';
import { type Device, rowOf } from './device.ts';
import { DeviceMap } from './device-map.ts';
import { LatestBudget } from './latest-values.ts';
import { Provisioning } from './provisioning.ts';
import { SeenWriter } from './seen-writer.ts';

export interface DeviceTableOptions {
  /** Records of further devices are accepted all the same; the devices are not listed. */
  readonly maxDevices: number;
  /** Per device. */
  readonly maxMetrics: number;
  /** Memory for the latest values of all devices. */
  readonly maxLatestBytes?: number;
  readonly saveIntervalMs?: number;
  readonly saveEveryRecordCount?: number;
}

export interface DeviceTablePorts {
  readonly state: StateStore;
  readonly read: ReadRecords;
  readonly logger: Logger;
  /** UTC milliseconds since 1970. */
  readonly now: () => number;
}

const DEFAULT_LATEST_BYTES = 32 * 1024 * 1024;

/**
 * All that is known of the devices, in memory; on disk it is behind, and catches up from the log after a crash.
 * The latest value of a metric is the one observed last where both have a time of observation that can be believed,
 * else the one accepted last.
 */
export class DeviceTable implements Stage, DeviceDirectory, DeviceRegistry, AccessControl, Presence {
  readonly #ports: DeviceTablePorts;
  readonly #budget: LatestBudget;
  readonly #devices: DeviceMap;
  readonly #provisioning: Provisioning;
  readonly #writer: SeenWriter;
  readonly #sessionCounts = new Map<string, number>();
  readonly #stopping = new AbortController();
  readonly #retryMs: number;
  #savedUpTo: Seq = 0;
  #firstLiveSeq: Seq = Number.POSITIVE_INFINITY;
  #lastSeq: Seq = 0;
  #caughtUp: boolean = false;
  #unlistedRecordCount = 0;

  constructor(options: DeviceTableOptions, ports: DeviceTablePorts) {
    this.#ports = ports;
    const { maxMetrics, maxLatestBytes = DEFAULT_LATEST_BYTES, saveIntervalMs = 30_000 } = options;
    this.#retryMs = saveIntervalMs;
    this.#budget = new LatestBudget({ maxMetrics, maxBytes: maxLatestBytes });
    this.#devices = new DeviceMap(options.maxDevices, this.#budget);
    this.#provisioning = new Provisioning(this.#devices, ports);
    this.#writer = new SeenWriter({
      state: ports.state,
      logger: ports.logger,
      intervalMs: saveIntervalMs,
      everyRecordCount: options.saveEveryRecordCount ?? 100_000,
      rowOf: (id) => {
        const device = this.#devices.get(id);
        return device === undefined ? undefined : rowOf(device);
      },
      upTo: () => (this.#caughtUp ? this.#lastSeq : this.#savedUpTo),
    });
  }

  /** Resolves when the devices are known; what the log holds beyond that follows in the background. */
  async start(): Promise<void> {
    const [rows, savedUpTo] = await Promise.all([this.#ports.state.loadDevices(), this.#ports.state.seenUpTo()]);
    for (const row of rows) this.#devices.load(row);
    this.#savedUpTo = savedUpTo;
    this.#lastSeq = Math.max(this.#lastSeq, savedUpTo);
    this.#writer.start(savedUpTo);
    void this.#catchUp();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#writer.stop();
  }

  /** To be called in the order of the seqs, after they are on disk. */
  recordsAccepted(observations: readonly Observation[]): void {
    this.#firstLiveSeq = Math.min(this.#firstLiveSeq, observations[0]?.seq ?? this.#firstLiveSeq);
    this.#observe(observations);
  }

  /** Records of devices that are not listed because there are too many. */
  unlistedRecordCount(): number {
    return this.#unlistedRecordCount;
  }

  list(after: string, limit: number): readonly DeviceView[] {
    return this.#devices.page(after, limit).map((device) => this.#viewOf(device));
  }

  get(id: string): DeviceView | undefined {
    const device = this.#devices.get(id);
    return device === undefined ? undefined : this.#viewOf(device);
  }

  latest(id: string): readonly LatestMetric[] | undefined {
    return this.#devices.get(id)?.latest.list();
  }

  count(): number {
    return this.#devices.size;
  }

  add(id: string, secret?: string): Promise<string> {
    return this.#provisioning.add(id, secret);
  }

  remove(id: string): Promise<boolean> {
    return this.#provisioning.remove(id);
  }

  adopt(id: string, secretHash: string): Promise<void> {
    return this.#provisioning.adopt(id, secretHash);
  }

  authenticate(device: string, secret: string, isGone?: () => boolean): Promise<boolean> {
    return this.#provisioning.authenticate(device, secret, isGone);
  }

  claimClientId(clientId: string, identity: string | null): Promise<boolean> {
    return this.#provisioning.claimClientId(clientId, identity);
  }

  online(device: string): void {
    this.#sessionCounts.set(device, (this.#sessionCounts.get(device) ?? 0) + 1);
  }

  offline(device: string): void {
    const sessionCount = (this.#sessionCounts.get(device) ?? 0) - 1;
    if (sessionCount > 0) this.#sessionCounts.set(device, sessionCount);
    else this.#sessionCounts.delete(device);
  }

  /** The configuration names it and it can be reached, so it is listed before it says anything. */
  introduce(device: string): void {
    this.#devices.ensure(device);
  }

  known(): Iterable<string> {
    return this.#devices.ids();
  }

  #observe(observations: readonly Observation[]): void {
    for (const observation of observations) {
      this.#lastSeq = Math.max(this.#lastSeq, observation.seq);
      const device = this.#devices.ensure(observation.device);
      if (device === undefined) this.#countUnlisted();
      else this.#update(device, observation);
    }
  }

  #update(device: Device, observation: Observation): void {
    const { seq, receivedAt } = observation;
    device.firstSeenAt ??= receivedAt;
    // Not by time: a clock that was set back must not hide that the device spoke.
    if (seq > device.lastSeq) {
      device.lastSeq = seq;
      device.lastSeenAt = receivedAt;
    }
    const skippedCount = this.#budget.skippedCount;
    device.latest.observe(observation);
    if (skippedCount === 0 && this.#budget.skippedCount > 0) {
      this.#ports.logger.warn(
        { device: device.id },
        'a latest value is not kept: too many metrics, or too long a name',
      );
    }
    this.#writer.changed(device.id);
  }

  #countUnlisted(): void {
    this.#unlistedRecordCount += 1;
    if (this.#unlistedRecordCount > 1) return;
    this.#ports.logger.warn({ deviceCount: this.#devices.size }, 'devices.max is reached: new devices are not listed');
  }

  async #catchUp(): Promise<void> {
    const { signal } = this.#stopping;
    while (!this.#caughtUp && !signal.aborted) {
      try {
        await catchUp({
          read: this.#ports.read,
          after: this.#savedUpTo,
          before: () => this.#firstLiveSeq,
          observe: (observations) => this.#observe(observations),
          signal,
        });
        this.#caughtUp = !signal.aborted;
      } catch (error) {
        this.#ports.logger.warn({ reason: messageOf(error) }, 'the latest values could not be brought up to date');
        await delay(this.#retryMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }

  #viewOf(device: Device): DeviceView {
    return {
      id: device.id,
      online: this.#sessionCounts.has(device.id),
      provisioned: device.secretHash !== null,
      firstSeenAt: device.firstSeenAt,
      lastSeenAt: device.lastSeenAt,
      metricCount: device.latest.size,
    };
  }
}
