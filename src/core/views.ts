/** What the API, `sluice status` and the metrics read. Implemented by `devices` and by the composition root. */

import type { CommandCounts } from './commands.ts';
import type { LogStats } from './log-stats.ts';
import type { Seq, Source } from './record.ts';
import type { Stream } from './stream.ts';
import type { LinkStatus } from './upstream.ts';

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

/** Told by `sources` whom their sessions speak for; a device is online while one does. */
export interface Speakers {
  speaks(session: object, device: string): void;
  gone(session: object): void;
}

/** Bytes on a serial line that were no frame. */
export interface BadFrame {
  /** UTC milliseconds. */
  readonly at: number;
  readonly reason: string;
  /** Of all; `hex` has the first ones. */
  readonly byteCount: number;
  readonly hex: string;
}

/** A serial port that this machine has. What does not come over USB has nothing but a path. */
export interface FoundSerialPort {
  /** Of the device node. */
  readonly path: string;
  /** The link to it that stays the same. */
  readonly byId: string | null;
  /** Four hexadecimal digits. */
  readonly vendorId: string | null;
  readonly productId: string | null;
  readonly vendor: string | null;
  readonly product: string | null;
  readonly serialNumber: string | null;
}

/** A port that was found, which of the configured ones has it, and how it would be configured. */
export interface OfferedSerialPort extends FoundSerialPort {
  /** Name of the configured port; null when none has it. */
  readonly port: string | null;
  /** An entry of `serial` in the configuration. */
  readonly config: string;
}

/** A serial port that is configured; counts are since the start. */
export interface SerialPortView {
  /** Of a port that a pattern matches, `name/port`. */
  readonly name: string;
  readonly path: string;
  /** Null when its frames say whose they are. */
  readonly device: string | null;
  readonly state: 'open' | 'absent' | 'refused';
  /** Why it cannot be opened, with what to do. */
  readonly reason: string | null;
  /** Opened again, after it was gone or silent. */
  readonly reconnectCount: number;
  readonly byteCount: number;
  /** By what became of them. */
  readonly frames: Readonly<Record<string, number>>;
  readonly lastFrameAt: number | null;
  /** The newest first, a few. */
  readonly badFrames: readonly BadFrame[];
  /** Devices that are polled on its line. */
  readonly units: readonly SerialUnitView[];
}

/** A device that is polled. */
export interface SerialUnitView {
  /** Its address on the line. */
  readonly unitId: number;
  readonly device: string | null;
  /** It answered the last time. */
  readonly isOnline: boolean;
  /** UTC milliseconds; exceptions count. */
  readonly lastAnswerAt: number | null;
  /** Why something cannot be read from it. */
  readonly reason: string | null;
}

export interface UplinkView {
  readonly name: string;
  readonly type: 'kafka' | 'file';
  /** Those that it carries. The log may have lanes of others, from before. */
  readonly streams: readonly Stream[];
  /** Of a metered link; null without a limit. */
  readonly maxBytesPerSecond: number | null;
  readonly maxBytesPerDay: number | null;
  /** Events are sent although the budget of the day is spent. */
  readonly eventsOverBudget: boolean;
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
  /** Since the start; null for the first minute, and the first 100 records. */
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
  /** Those that are configured, in the order in which they were first seen. */
  serialPorts(): readonly SerialPortView[];
  /** Those that are plugged in now, configured or not. Looks at the system's files. */
  offeredSerialPorts(): Promise<readonly OfferedSerialPort[]>;
  /** Messages since the process started, by what became of them. */
  messages(): MessageCounts;
  commands(): CommandCounts;
}
