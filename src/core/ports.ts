/**
 * What the rooms promise each other. Contracts are talkative, implementations quiet.
 * Every promise here is kept by one contract suite in `test/contract`, run on every implementation.
 */

import type { SluiceError } from './errors.ts';
import type {
  ContentType,
  DeviceKey,
  Handshake,
  IdempotencyKey,
  NewRecord,
  RefusedMessage,
  RefusedShare,
  Seq,
  Source,
  StoredRecord,
} from './record.ts';
import type {
  Keep,
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
import type { Stream } from './stream.ts';

/** A part of the gateway with a life. Constructors only assign; `start` does the work and may fail. */
export interface Stage {
  start(signal: AbortSignal): Promise<void>;
  /** Never rejects, never hangs. Safe to call when `start` failed or was never called. */
  stop(): Promise<void>;
}

// ── sources → ingest ────────────────────────────────────────────────────────────────────────────────────────────

/** One unit as it arrived, not yet judged. */
export interface Message {
  readonly source: Source;
  /** MQTT topic (for HTTP the one of the same meaning) or serial port. */
  readonly channel: string;
  readonly payload: Uint8Array;
  /** For MQTT only: the device that logged in; null or left out for a trusted sender. */
  readonly identity?: string | null | undefined;
  /** For QoS 2 only: what recognises a repeated PUBLISH. */
  readonly handshake: Handshake | null;
  /** For HTTP only: what recognises a repeated request. */
  readonly idempotency?: IdempotencyKey | undefined;
  /** What the sender says the payload is, where its protocol can say so. */
  readonly declared?: ContentType | undefined;
  /** For MQTT only, and usually nothing: what the broker keeps of it. Stored together with what the message becomes. */
  readonly keep?: Keep | undefined;
}

/** Why a device is held back: it is over its share of a buffer that runs full, or over its rate. */
export type Restraint = 'share' | 'rate';

/** What became of a message. All but `postponed` may be acknowledged: sending it again cannot help. */
export type Acceptance =
  | {
      readonly kind: 'accepted';
      readonly device: string;
      readonly firstSeq: Seq;
      readonly count: number;
      /** The acknowledgement is to wait for so long. */
      readonly slow?: { readonly reason: Restraint; readonly waitMs: number };
    }
  /** For HTTP only, where the sender can be told: nothing is stored or counted as lost, it is to be sent again later. */
  | { readonly kind: 'postponed'; readonly device: string; readonly reason: Restraint; readonly waitMs: number }
  /** A repeated QoS 2 PUBLISH: what it carried is stored already. `device` is null when it was no record. */
  | { readonly kind: 'duplicate'; readonly device: string | null }
  /** A request whose idempotency key is known: it was stored before, under these seqs. */
  | { readonly kind: 'repeated'; readonly device: string; readonly firstSeq: Seq; readonly count: number }
  /** The idempotency key came with another request before: nothing is stored. */
  | { readonly kind: 'key_reused'; readonly device: string }
  /** Kept aside and counted; for the reason `share` not kept, but reported in `gaps`. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** No route knows the topic: nothing is stored but what the broker keeps of it. */
  | { readonly kind: 'local' };

/** The door: judges messages and stores what is good. */
export interface Intake {
  /**
   * Resolves when what the message became would survive a power cut; in the order of the calls, refused and
   * local ones included, so that acknowledgements keep the order of receipt [MQTT-4.6.0-2].
   * Stays pending while nothing can be stored. Rejects only when the store is gone for good.
   */
  accept(message: Message): Promise<Acceptance>;
  /** Resolves, in order, once everything accepted before it has resolved; stores nothing. */
  settled(): Promise<void>;
  /** Forgets one open handshake, or with packetId null all of a client. Resolves when that is on disk. */
  release(clientId: string, packetId: number | null): Promise<void>;
}

// ── ingest → store ──────────────────────────────────────────────────────────────────────────────────────────────

/** What one message asks of the log. Nothing of a repeated handshake is stored, `keep` included. */
export type LogEntry =
  | {
      readonly kind: 'records';
      readonly records: readonly NewRecord[];
      readonly handshake: Handshake | null;
      readonly idempotency?: DeviceKey | undefined;
      readonly keep?: KeptMessage | undefined;
    }
  | {
      readonly kind: 'refused';
      readonly message: RefusedMessage;
      readonly handshake?: Handshake | null;
      readonly keep?: KeptMessage | undefined;
    }
  /** Counted, to be reported in `gaps`. */
  | {
      readonly kind: 'over_share';
      readonly share: RefusedShare;
      readonly handshake: Handshake | null;
      readonly keep?: KeptMessage | undefined;
    }
  | { readonly kind: 'queues'; readonly changes: readonly QueueChange[] }
  | { readonly kind: 'release'; readonly clientId: string; readonly packetId: number | null }
  /** Stores nothing; resolves in its place in the order. */
  | { readonly kind: 'barrier' };

/** The records of one entry have consecutive seqs from `firstSeq`. */
export interface Appended {
  /** 0 when nothing was stored; of a repeated request the one that it has from before. */
  readonly firstSeq: Seq;
  /** Nothing was stored now: it was before. */
  readonly duplicate: boolean;
  /** Nothing was stored: the idempotency key is known with another fingerprint. */
  readonly keyReused?: boolean;
}

/** What may still be stored before records have to be dropped that no uplink has delivered. */
export interface Room {
  readonly bytes: number;
  /** Of how much that is what is left: the limits, or what the disk has for them. */
  readonly capacityBytes: number;
}

export interface LogWriter {
  /** As the store said last; what was handed over since counts as stored. Infinite until it has said something. */
  readonly room: Room;
  /**
   * Resolves only when the entry would survive a power cut (`durability: full`), in the order of the calls.
   * All records of an entry are stored, or none. Everything that waits is committed together, without linger.
   * Stays pending while nothing can be stored (disk full, `whenFull: block`).
   */
  append(entry: LogEntry): Promise<Appended>;
}

// ── store → uplink ──────────────────────────────────────────────────────────────────────────────────────────────

/** A reader of the log that feeds an upstream; it has its own cursor. */
export interface LaneId {
  readonly uplink: string;
  readonly stream: Stream;
  /** A part of the stream that is fed beside the lane itself, with a cursor of its own. */
  readonly range?: RangeId | undefined;
}

/** `backfill`: what the lane skipped, pending until it is delivered. `replay`: what somebody wants to have sent again. */
export type RangeKind = 'backfill' | 'replay';

export interface RangeId {
  readonly kind: RangeKind;
  /** Never given out twice. */
  readonly id: number;
}

/** Which records of a range are sent. Times are UTC milliseconds of acceptance, `from` inclusive, `to` exclusive. */
export interface RangeFilter {
  readonly device: string | null;
  readonly from: number | null;
  readonly to: number | null;
}

/** A range with something left to send: (cursor, upTo]. */
export interface LaneRange {
  readonly lane: LaneId;
  readonly upTo: Seq;
  readonly filter: RangeFilter;
}

/** A record that the upstream can never take. */
export interface Rejection {
  readonly seq: Seq;
  /** Stable, `snake_case`: `message_too_large`, `invalid_record`, … */
  readonly reason: string;
  readonly detail: string;
}

export interface ReadLimit {
  readonly maxRecords: number;
  /** At least one record is returned, however large. */
  readonly maxBytes: number;
}

export interface Batch {
  readonly records: readonly StoredRecord[];
  /** Seq of the last record looked at, whether it is in `records` or not; `after` when there was none. */
  readonly upTo: Seq;
  /** Seqs whose CRC did not hold; they are not in `records`. */
  readonly damaged: readonly Seq[];
}

/** Oldest first, removes nothing; every call is one short read. Synchronous: lives on a thread that may block. */
export interface LogReader {
  read(stream: Stream, after: Seq, limit: ReadLimit): Batch;
}

export interface Settlement {
  readonly lane: LaneId;
  /** The lane's cursor before; another value means a bug, and the store refuses. */
  readonly from: Seq;
  readonly upTo: Seq;
  /** Records in (from, upTo] that the upstream confirmed. */
  readonly deliveredCount: number;
  readonly rejected: readonly Rejection[];
  /** What it took on the wire since the last settlement, counted for that day; only where a link is metered. */
  readonly sent?: DayBytes | undefined;
}

export interface DayBytes {
  /** UTC days since 1970. */
  readonly day: number;
  readonly bytes: number;
}

/**
 * The lane side of the store. Wherever a lane is named, one of its ranges may be; what it does then concerns the
 * range's cursor, and rejects with `range_gone` once the range is done, or was cancelled.
 */
export interface LaneLog {
  /** The lane's cursor; makes the lane, beginning at `oldest` or `now`, when it is new. A range is never made here. */
  open(lane: LaneId, from: 'oldest' | 'now'): Promise<Seq>;
  /** Resolves when the lane's stream has a record after `after`, the signal is aborted, or the lane waits anew. */
  wait(lane: LaneId, after: Seq, signal: AbortSignal): Promise<void>;
  /**
   * Takes (cursor, upTo] in flight: no limit removes them until settled or released. A later claim only adds.
   * Resolves with the lane's cursor, which has moved past `from` when a limit dropped records before the claim; that
   * is waited for when a limit needs it and earlier records of the stream are in flight, until they are not.
   */
  claim(lane: LaneId, upTo: Seq): Promise<Seq>;
  release(lane: LaneId): Promise<void>;
  /**
   * Moves the cursor, counts, and stores the rejects, in one transaction. Resolves when that is on disk.
   * Frees what it settles; what is claimed beyond stays in flight. What a backfill settles counts as its lane's; what a
   * replay settles counts for the replay alone, and its rejects are not kept. A range that is settled to its end is done.
   */
  settle(settlement: Settlement): Promise<void>;
  /**
   * Moves the cursor of a lane with nothing in flight to the end of its stream, and makes a backfill of what it skips;
   * one that nothing was delivered behind grows instead. Counts do not change. Resolves with the cursor, which stays
   * where it is when there are too many backfills.
   */
  skipAhead(lane: LaneId): Promise<Seq>;
  /** What is left to send beside the lanes: backfills, then replays, the oldest first. */
  ranges(uplink: string): Promise<readonly LaneRange[]>;
  /** Bytes that settlements counted for the uplink on that day, which is the latest one. */
  sentBytes(uplink: string, day: number): Promise<number>;
}

// ── uplink → upstream ───────────────────────────────────────────────────────────────────────────────────────────

/** What an upstream made of a batch. Always a prefix: order within a stream is kept. */
export interface Outcome {
  /** Every record up to here is delivered, or named in `rejected`. The seq before the batch when none is. */
  readonly upTo: Seq;
  readonly rejected: readonly Rejection[];
  /**
   * Why the rest stays. Null when nothing stays, or when the rest may be sent at once, but only after what is rejected is
   * on disk. `retryable: false` blocks the uplink until somebody mends it.
   */
  readonly error: SluiceError | null;
}

export interface SendOptions {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface Upstream {
  /**
   * May fail; the forwarder tries again with back-off and jitter, for ever. Called again after a failed send: mends
   * what is broken, and resolves at once when nothing is. Always settles by a deadline of its own.
   */
  open(signal: AbortSignal): Promise<void>;
  /** Records of one lane, in seq order, at least one. Always settles by its deadline; never rejects. */
  send(lane: LaneId, after: Seq, records: readonly StoredRecord[], options: SendOptions): Promise<Outcome>;
  /**
   * Asks whether the upstream is still there; sends no record. Rejects when it is not: `open` mends that. Always settles
   * by a deadline of its own.
   */
  probe(signal: AbortSignal): Promise<void>;
  /**
   * Last seq of the lane that the upstream itself durably holds, when it can tell (same epoch only). May fail, like
   * `open`. Asked before the first `send`, and again after each one that failed: it leaves no doubt what became of that.
   */
  position?(lane: LaneId): Promise<Seq | undefined>;
  /** What the records take on the wire: key, value and headers, before compression. */
  bytesOf(lane: LaneId, records: readonly StoredRecord[]): number;
  /** Nothing more is to come of this range: what is kept for it may go. */
  finish(lane: LaneId): void;
  /** Never hangs, never rejects. */
  close(options: { readonly deadlineMs: number }): Promise<void>;
}

/** `blocked`: waits for people; `down`: tries again by itself. */
export type LinkState = 'connecting' | 'up' | 'down' | 'blocked' | 'paused' | 'stopped';

export interface LinkStatus {
  readonly state: LinkState;
  /** In plain words, with what to do; null when all is well. */
  readonly reason: string | null;
  readonly code: string | null;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** When the next attempt is due, or null. */
  readonly retryAt: number | null;
  readonly lastDeliveredAt: number | null;
  /** Records per second, over the last ten seconds; without replays. */
  readonly rate: number;
}

// ── store → everybody who asks ──────────────────────────────────────────────────────────────────────────────────

export interface StreamStats {
  readonly stream: Stream;
  /** Records ever accepted into this log. */
  readonly acceptedCount: number;
  /** Records still in the log. */
  readonly storedCount: number;
  readonly lastSeq: Seq;
  readonly oldestReceivedAt: number | null;
  /** Records that were refused at the door because their device was over its share; they are in no other count. */
  readonly overShareCount: number;
}

/** For each lane: accepted = delivered + rejected + dropped + pending, always and exactly. */
export interface LaneStats {
  readonly uplink: string;
  readonly stream: Stream;
  readonly cursor: Seq;
  readonly acceptedCount: number;
  readonly deliveredCount: number;
  readonly rejectedCount: number;
  readonly droppedCount: number;
  readonly droppedByReason: Readonly<Record<string, number>>;
  readonly pendingCount: number;
  readonly oldestPendingAt: number | null;
}

/** What a lane skipped and still has to deliver: (cursor, upTo]. Its records count as pending of the lane. */
export interface BackfillStats {
  readonly uplink: string;
  readonly stream: Stream;
  readonly id: number;
  readonly cursor: Seq;
  readonly upTo: Seq;
  /** When the lane skipped it; UTC milliseconds. */
  readonly at: number;
}

/** What is to be sent again: records of (after, upTo] that fit the filter. */
export interface NewReplay extends RangeFilter {
  readonly uplink: string;
  readonly stream: Stream;
  readonly after: Seq;
  readonly upTo: Seq;
}

export interface ReplayStats extends NewReplay {
  readonly id: number;
  /** Everything up to here is sent, or was removed. */
  readonly cursor: Seq;
  readonly at: number;
  readonly isDone: boolean;
  readonly deliveredCount: number;
  readonly rejectedCount: number;
  /** Removed by a limit before they were sent again. */
  readonly removedCount: number;
}

export interface UplinkTotals {
  readonly uplink: string;
  /** Records delivered by replays, ever. */
  readonly replayedCount: number;
  /** Of the latest day that something was counted for; null when the link was never metered. */
  readonly sent: DayBytes | null;
}

export interface LogStats {
  readonly epoch: string;
  readonly streams: readonly StreamStats[];
  readonly lanes: readonly LaneStats[];
  readonly backfills: readonly BackfillStats[];
  readonly uplinks: readonly UplinkTotals[];
  /** Pages of the database that hold something, and the write-ahead log. */
  readonly bytes: number;
  readonly maxBytes: number;
  readonly room: Room;
  readonly freeBytes: number;
  readonly keepFreeBytes: number;
  readonly maxAgeMs: number;
  readonly refusedCount: number;
  readonly rejectsCount: number;
  readonly writtenBytes: number;
  /** Why nothing can be stored now, or null. */
  readonly full: string | null;
}

/** Records sent again because somebody asks for it. All of it survives a restart. */
export interface ReplayStore {
  /**
   * Ends at the lane's cursor at the latest: what is behind it is still to come anyway.
   * @throws SluiceError `unknown_lane`, `too_many_replays`
   */
  addReplay(replay: NewReplay): Promise<ReplayStats>;
  /** The newest first; of those that are done only the latest are kept. */
  replays(): Promise<readonly ReplayStats[]>;
  /** Cancels it when it is not done: what is on its way may still arrive. False when there is none of that id. */
  removeReplay(id: number): Promise<boolean>;
}

// ── devices → store ─────────────────────────────────────────────────────────────────────────────────────────────

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

// ── sources/mqtt → store ────────────────────────────────────────────────────────────────────────────────────────

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
