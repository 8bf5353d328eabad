import type { Batch, LaneId, LaneRange, ReadLimit, Settlement } from '../core/lane-log.ts';
import type { LogStats, NewReplay, ReplayStats, Salvaged } from '../core/log-stats.ts';
import type { BootStart, Handshake, Seq } from '../core/record.ts';
import type {
  Place,
  QueuePage,
  QueuePosition,
  RetainedMessage,
  SessionChange,
  SessionId,
  SessionRow,
  StoredWill,
} from '../core/session.ts';
import type { DeviceRow } from '../core/state-store.ts';
import type { Stream } from '../core/stream.ts';
import type { LimitOptions } from './limits.ts';
import type { Durability } from './sqlite.ts';

export interface StoreOptions extends LimitOptions {
  readonly durability: Durability;
  readonly commitIntervalMs: number;
  /** undefined where the system has none: then one is made up at the first start, and kept. */
  readonly machineId: string | undefined;
  /** From the configuration; undefined keeps the one made from host name and machine id at the first start. */
  readonly gatewayId: string | undefined;
  readonly hostName: string;
  readonly idempotency: { readonly windowMs: number; readonly maxKeys: number };
}

/** What the store found when it opened. */
export interface StoreOpened {
  readonly gatewayId: string;
  /** Random, of this data directory on this machine: two gateways of one id have different ones, in general. */
  readonly instanceId: string;
  readonly epoch: string;
  /** No record of an earlier run has this seq or a higher one. */
  readonly firstSeq: Seq;
  readonly openHandshakes: readonly Handshake[];
  readonly logFile: string;
  /** What was damaged and what was done about it, in words. */
  readonly repairs: readonly string[];
}

/**
 * Results of an append: two numbers per entry, the first seq of its records (0: none) and the index of what became of it;
 * behind them the two of `Room`.
 */
export type AppendResult = Float64Array<ArrayBuffer>;

/** What became of an entry. `reused`: its idempotency key is known with another request. */
export const APPEND_OUTCOMES = ['stored', 'duplicate', 'reused'] as const;

/** `at`: UTC milliseconds since 1970. */
export interface ClientIdClaim {
  readonly clientId: string;
  readonly owner: string;
  readonly at: number;
}

/** What the main thread asks of the store worker. */
export type MainOperations = {
  open: { args: StoreOptions; result: StoreOpened };
  append: { args: { buffer: ArrayBuffer; byteLength: number; count: number }; result: AppendResult };
  stats: { args: null; result: LogStats };
  read: { args: { stream: Stream; after: Seq; limit: ReadLimit }; result: Batch };
  loadDevices: { args: null; result: DeviceRow[] };
  putSecret: { args: { id: string; secretHash: string }; result: null };
  removeDevice: { args: string; result: boolean };
  claimClientIds: { args: readonly ClientIdClaim[]; result: boolean[] };
  saveSeen: { args: { rows: readonly DeviceRow[]; upTo: Seq }; result: null };
  seenUpTo: { args: null; result: Seq };
  setPaused: { args: { uplink: string; paused: boolean }; result: null };
  pausedUplinks: { args: null; result: string[] };
  loadSessions: { args: { after: SessionId; maxCount: number }; result: SessionRow[] };
  saveSessions: { args: readonly SessionChange[]; result: null };
  loadQueues: { args: { after: QueuePosition; maxCount: number }; result: QueuePage };
  loadWills: { args: { after: Place; maxCount: number }; result: StoredWill[] };
  loadRetained: { args: { afterTopic: string; maxCount: number }; result: RetainedMessage[] };
  lastPlace: { args: null; result: Place };
  retryReject: { args: number; result: Seq | undefined };
  removeReject: { args: number; result: boolean };
  removeRefused: { args: number; result: boolean };
  addReplay: { args: NewReplay; result: ReplayStats };
  replays: { args: null; result: ReplayStats[] };
  removeReplay: { args: number; result: boolean };
  noteSync: { args: BootStart; result: null };
  hurry: { args: null; result: null };
  giveBackMemory: { args: null; result: null };
  salvaged: { args: null; result: Salvaged | null };
  forgetLostPositions: { args: null; result: null };
  beginClosing: { args: null; result: null };
  close: { args: null; result: null };
};

/** What the uplink worker asks of the store worker. */
export type LaneOperations = {
  open: { args: { lane: LaneId; from: 'oldest' | 'now' }; result: Seq };
  wait: { args: { lane: LaneId; after: Seq }; result: null };
  claim: { args: { lane: LaneId; upTo: Seq }; result: Seq };
  release: { args: LaneId; result: null };
  settle: { args: Settlement; result: null };
  skipAhead: { args: LaneId; result: Seq };
  ranges: { args: string; result: LaneRange[] };
  sentBytes: { args: { uplink: string; day: number }; result: number };
};
