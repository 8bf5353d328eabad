/** What the store keeps apart from the records: for the devices, and for the MQTT broker. */

import type { Salvaged } from './log-stats.ts';
import type { Seq } from './record.ts';
import type {
  KeptMessage,
  Place,
  QueueChange,
  QueuePage,
  QueuePosition,
  RetainedMessage,
  SessionChange,
  SessionId,
  SessionRow,
  StoredWill,
} from './session.ts';

/** A device as `state.db` keeps it. */
export interface DeviceRow {
  readonly id: string;
  /** As `parseSecretHash` reads it; null when it cannot log in. */
  readonly secretHash: string | null;
  readonly firstSeenAt: number | null;
  readonly lastSeenAt: number | null;
  /** Latest values, as JSON that only `devices` reads. */
  readonly latest: string | null;
}

/** The small, precious file: what is known apart from the records. Every write resolves when it is on disk. */
export interface StateStore {
  loadDevices(): Promise<readonly DeviceRow[]>;
  putSecret(id: string, secretHash: string): Promise<void>;
  /** False when there was no such device. */
  removeDevice(id: string): Promise<boolean>;
  /**
   * The client id belongs to the first owner who claims it, but one that is a device's id to that device: it takes it over
   * from others, who cannot claim it once the device has a secret. False when it belongs to somebody else. The empty owner
   * is the anonymous one.
   */
  claimClientId(clientId: string, owner: string, at: number): Promise<boolean>;
  /** What derives from the log, with the seq it was derived up to; one transaction. Secrets stay as they are. */
  saveSeen(rows: readonly DeviceRow[], upTo: Seq): Promise<void>;
  /** The seq given to the last `saveSeen`; 0 when there was none. */
  seenUpTo(): Promise<Seq>;
  setPaused(uplink: string, paused: boolean): Promise<void>;
  pausedUplinks(): Promise<readonly string[]>;
}

/**
 * What the MQTT broker keeps over a restart. Sessions, wills and retained messages are read from `state.db`, queues
 * from `log.db`; no step needs both. What is queued for a session that is not known any more is gone after a restart.
 */
export interface SessionStore {
  /** In the order of their ids, behind `after`, `maxCount` at most; none when there are no more. */
  loadSessions(after: SessionId, maxCount: number): Promise<readonly SessionRow[]>;
  /** All of them or none, in order. Resolves when that is on disk; waits for a full disk; rejects only when the store is gone. */
  saveSessions(changes: readonly SessionChange[]): Promise<void>;
  /** The next messages in the order of place and session, `maxCount` at most. */
  loadQueues(after: QueuePosition, maxCount: number): Promise<QueuePage>;
  /** Resolves when no record of a damaged log is put back any more; at once, with null, when none was. */
  salvaged(): Promise<Salvaged | null>;
  /** In order with what goes through the intake. What is not there is no error. */
  changeQueues(changes: readonly QueueChange[]): Promise<void>;
  /** As an intake keeps it, for what the broker itself publishes. */
  keep(message: KeptMessage): Promise<void>;
  /** In the order of their ids, behind `after`, `maxCount` at most; none when there are no more. */
  loadWills(after: Place, maxCount: number): Promise<readonly StoredWill[]>;
  /** In the order of the topics, `maxCount` at most; none when there are no more. */
  loadRetained(afterTopic: string, maxCount: number): Promise<readonly RetainedMessage[]>;
  /** No place, and no id of a session or a will, above it is in use. */
  lastPlace(): Promise<Place>;
}
