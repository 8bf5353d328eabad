/** What the API, `sluice status` and the metrics read. Implemented by `devices` and by the composition root. */

import type { LinkStatus, LogStats } from './ports.ts';
import type { Seq, Source } from './record.ts';
import type { Stream } from './stream.ts';

export type MetricValue = number | string | boolean | null;

/** The newest value of one metric. Times are UTC milliseconds. */
export interface LatestMetric {
  readonly metric: string;
  readonly value: MetricValue;
  readonly seq: Seq;
  readonly receivedAt: number;
  readonly observedAt: number | null;
  /** Undefined when none was ever said. */
  readonly unit?: string | undefined;
}

/** What one accepted record says about its device. Times are UTC milliseconds. */
export interface Observation {
  readonly device: string;
  readonly seq: Seq;
  readonly receivedAt: number;
  readonly observedAt: number | null;
  /** The metrics of a telemetry record; null for every other stream. */
  readonly metrics: Readonly<Record<string, MetricValue>> | null;
  /** Units of the metrics, where the message or its route says some; records themselves hold none. */
  readonly units?: Readonly<Record<string, string>> | null;
}

export interface DeviceView {
  readonly id: string;
  readonly online: boolean;
  /** True when it has a secret, so it can log in on listeners that ask for one. */
  readonly provisioned: boolean;
  readonly firstSeenAt: number | null;
  readonly lastSeenAt: number | null;
  readonly metricCount: number;
}

export interface DeviceDirectory {
  /** In the order of their ids, those behind `after` (exclusive; '' for the beginning), at most `limit`. */
  list(after: string, limit: number): readonly DeviceView[];
  get(id: string): DeviceView | undefined;
  latest(id: string): readonly LatestMetric[] | undefined;
  count(): number;
}

/** Provisioning: who may log in. */
export interface DeviceRegistry {
  /**
   * Gives the device a secret (256 random bits in base64url when none is given) and returns it; only its hash is kept.
   * @throws SluiceError `device_exists`, `bad_device_id`, `too_many_devices`, `weak_secret`
   */
  add(id: string, secret?: string): Promise<string>;
  /**
   * The same for a secret of which only the hash is known, as `parseSecretHash` reads it.
   * @throws SluiceError `device_exists`, `bad_device_id`, `too_many_devices`, `bad_secret_hash`
   */
  adopt(id: string, secretHash: string): Promise<void>;
  /** Takes the secret and all that is known of the device away. False when there was none. */
  remove(id: string): Promise<boolean>;
}

/** Who may speak, asked by `sources`. */
export interface AccessControl {
  /**
   * Constant time in the secret. Rejects with a SluiceError `busy` when too many wait for a slow check, or wrong secrets of
   * this device came a moment ago. `isGone`: nobody waits for the answer any more.
   */
  authenticate(device: string, secret: string, isGone?: () => boolean): Promise<boolean>;
  /**
   * A client id belongs to the first identity that uses it (null: anonymous), and one that is a device's id to that device.
   * False when somebody else has it.
   */
  claimClientId(clientId: string, identity: string | null): Promise<boolean>;
}

/** Told by `sources` when a session that speaks for a device comes and goes. */
export interface Presence {
  online(device: string): void;
  offline(device: string): void;
  /** Every device known at start, so that a retained `offline` can stand for it. */
  known(): Iterable<string>;
}

export interface UplinkView {
  readonly name: string;
  readonly type: 'kafka' | 'file';
  /** Those that it carries. The log may have lanes of others, from before. */
  readonly streams: readonly Stream[];
  readonly link: LinkStatus;
}

export interface UplinkControl {
  list(): readonly UplinkView[];
  /** False when there is no uplink of that name. Survives a restart. */
  pause(name: string): Promise<boolean>;
  resume(name: string): Promise<boolean>;
}

export interface GatewayInfo {
  readonly id: string;
  readonly epoch: string;
  readonly version: string;
  readonly startedAt: number;
  readonly clock: 'synced' | 'unsynced' | 'unknown';
  readonly platform: { readonly node: string; readonly arch: string; readonly kernel: string };
  readonly dataDir: string;
}

export interface HealthPart {
  readonly name: string;
  readonly status: 'ok' | 'degraded' | 'failed';
  readonly reason: string | null;
}

export interface RefusedCount {
  readonly source: Source;
  readonly reason: string;
  readonly count: number;
}

export interface MessageCounts {
  readonly refused: readonly RefusedCount[];
  /** Publishes that were not allowed. */
  readonly denied: number;
  /** Topics that no route knows: handed to local subscribers only. */
  readonly local: number;
}

/** What is written to the card or disk, from the start of the process on. Rates are null in its first minute. */
export interface WearView {
  /** What the gateway caused to be written; null where the system does not say. */
  readonly writtenBytes: number | null;
  /** Null when no record came. */
  readonly bytesPerRecord: number | null;
  readonly bytesPerDay: number | null;
  /** By all programs, to the device that holds the store; null where the system does not say. */
  readonly deviceBytesPerDay: number | null;
  /** Null when it is not configured. */
  readonly enduranceBytes: number | null;
  /** Of a new card at the present rate, that of the device where it is known. */
  readonly cardLifeDays: number | null;
}

/** Everything the API needs; `gateway.ts` hands it over. */
export interface GatewayViews {
  readonly devices: DeviceDirectory;
  readonly registry: DeviceRegistry;
  readonly uplinks: UplinkControl;
  info(): GatewayInfo;
  /** A moment old at most (one second); never waits for the disk. */
  stats(): LogStats;
  /** Records accepted for the uplink per second, over the last ten seconds. */
  arrivalRate(uplink: string): number;
  wear(): WearView;
  health(): readonly HealthPart[];
  /** MQTT clients connected now. */
  mqttClientCount(): number;
  /** Messages since the process started, by what became of them. */
  messages(): MessageCounts;
}
