/**
 * What the rooms promise each other. Contracts are talkative, implementations quiet.
 * Every promise here is kept by one contract suite in `test/contract`, run on every implementation.
 */

import type { NumberedFrame } from './frame-key.ts';
import type {
  ContentType,
  DeviceKey,
  Handshake,
  IdempotencyKey,
  NewRecord,
  RefusedMessage,
  Seq,
  Source,
  Untaken,
} from './record.ts';
import type { Keep, KeptMessage, QueueChange } from './session.ts';

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
  /** Nobody waits to hear of it: it may be stored a moment later, together with others. */
  readonly mayLinger?: boolean | undefined;
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
      readonly frame?: NumberedFrame;
    }
  /** For HTTP only, where the sender can be told: nothing is stored or counted as lost, it is to be sent again later. */
  | { readonly kind: 'postponed'; readonly device: string; readonly reason: Restraint; readonly waitMs: number }
  /** A repeated QoS 2 PUBLISH, or frame: what it carried is stored already. `device` is null when it was no record. */
  | { readonly kind: 'duplicate'; readonly device: string | null; readonly frame?: NumberedFrame }
  /** A request whose idempotency key is known: it was stored before, under these seqs. */
  | { readonly kind: 'repeated'; readonly device: string; readonly firstSeq: Seq; readonly count: number }
  /** The idempotency key came with another request before: nothing is stored. */
  | { readonly kind: 'key_reused'; readonly device: string }
  /** Kept aside and counted; for the reason `share` not kept, but reported in `gaps`. */
  | { readonly kind: 'refused'; readonly reason: string; readonly frame?: NumberedFrame }
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

/** Frames that came over a serial line and found no room to wait. */
export interface Overrun {
  readonly count: number;
  readonly bytes: number;
  /** When the first and the last of them came, UTC milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
}

/** The door for serial ports, which nobody can tell to wait. */
export interface FrameIntake extends Intake {
  /** Whose the frames of a port are; null when only they say it. */
  deviceOf(channel: string): string | null;
  /** Counts them, to be reported in `gaps`. Resolves as `accept` does. */
  overrun(channel: string, overrun: Overrun): Promise<void>;
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
      /** Nobody waits for it: see `Message`. */
      readonly mayLinger?: boolean | undefined;
    }
  | {
      readonly kind: 'refused';
      readonly message: RefusedMessage;
      readonly handshake?: Handshake | null;
      readonly keep?: KeptMessage | undefined;
    }
  /** Counted, to be reported in `gaps`. */
  | {
      readonly kind: 'untaken';
      readonly untaken: Untaken;
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

/** What may still be stored before records have to be dropped that an uplink has not delivered. */
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
