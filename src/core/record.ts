import type { Stream } from './stream.ts';

/** Place in the log. Only grows, never repeats, never restarts. A safe integer, first one 1. */
export type Seq = number;

/** How far `receivedAt` can be trusted. `corrected`: reckoned from the boot time, once the clock was synchronised. */
export type TimeQuality = 'synced' | 'unsynced' | 'corrected';

/** A moment in terms of a boot of the machine: no setting of the clock moves it. */
export interface BootTime {
  /** 32 hexadecimal digits, new with each boot. */
  readonly bootId: string;
  /** Milliseconds since the machine was started, with the time in which it slept. */
  readonly uptimeMs: number;
}

/** When a boot began, by a clock that is synchronised. */
export interface BootStart {
  readonly bootId: string;
  /** UTC milliseconds. */
  readonly startedAt: number;
}

export type ContentType = 'application/json' | 'text/plain' | 'application/octet-stream';

/** A message that was found good, before it is stored. All times are UTC, in milliseconds since 1970. */
export interface NewRecord {
  readonly stream: Stream;
  /** Device id; empty only in a gap that sums up many devices. */
  readonly device: string;
  /** The gateway's clock at acceptance. */
  readonly receivedAt: number;
  /** The device's own time of observation, or null when it gave none. */
  readonly observedAt: number | null;
  readonly timeQuality: TimeQuality;
  /** Of acceptance; only of a record that was accepted while the clock was not synchronised. */
  readonly bootTime?: BootTime | undefined;
  readonly contentType: ContentType;
  /** The last part of `devices/{id}/events/{type}`, else null. */
  readonly eventType: string | null;
  /** Where it came in: MQTT topic (for HTTP the one of the same meaning) or serial port. For a gap: the uplink that it concerns. */
  readonly channel: string;
  readonly value: Uint8Array;
  /** Set in a reject that is tried again. */
  readonly retryOf?: RetryOf | undefined;
}

/** The record that the upstream of an uplink could not take before. Only that uplink forwards the new one. */
export interface RetryOf {
  readonly uplink: string;
  readonly seq: Seq;
}

/** The only uplink that a record is for; null for every one that carries its stream. */
export function soleUplink({ stream, channel, retryOf }: NewRecord): string | null {
  return stream === 'gaps' ? channel : (retryOf?.uplink ?? null);
}

/** An accepted message: validated, durably stored. */
export interface StoredRecord extends NewRecord {
  readonly seq: Seq;
}

/**
 * An inbound QoS 2 exchange [MQTT-4.3.3]: open from the first PUBLISH until PUBREL. Stored in the same
 * transaction as the record, so that a repeated PUBLISH is recognised over a crash. Frames of serial ports that have
 * a number are recognised in the same way, and others as well: the names of all these begin with U+0001.
 */
export interface Handshake {
  readonly clientId: string;
  readonly packetId: number;
}

/**
 * Recognises a request that is sent again (the HTTP header `Idempotency-Key`, draft-ietf-httpapi-idempotency-key-header).
 * Stored in the same transaction as its records.
 */
export interface IdempotencyKey {
  readonly key: string;
  /** SHA-256 of what was asked for, 32 bytes: another request under the same key is a mistake of the sender. */
  readonly fingerprint: Uint8Array;
}

/** Keys of different devices have nothing to do with each other. */
export interface DeviceKey extends IdempotencyKey {
  readonly device: string;
}

/** A message that cannot be what its topic says: kept aside and counted, never a record. */
export interface RefusedMessage {
  readonly source: Source;
  /** Stable, `snake_case`. */
  readonly reason: string;
  readonly channel: string;
  readonly receivedAt: number;
  readonly payload: Uint8Array;
}

/** What is not taken and never becomes a record; all of one device. */
export interface Untaken {
  /** `share`: the device is over its share. `overrun`: more came over a serial line than could wait. */
  readonly reason: 'share' | 'overrun';
  readonly stream: Stream;
  /** Empty when nobody knows whose it was. */
  readonly device: string;
  /** Records that would have been; of an overrun frames. */
  readonly count: number;
  /** Of the values; of an overrun of the frames. */
  readonly bytes: number;
  /** When the first and the last of it came, UTC milliseconds. */
  readonly firstAt: number;
  readonly lastAt: number;
}

/** Adapters that bring data in. */
export type Source = 'mqtt' | 'serial' | 'http';
