/**
 * What crosses from the main thread to the store worker: many log entries in one transferable buffer instead of
 * thousands of cloned objects. Little-endian; every entry begins with its kind.
 *
 * | kind | then |
 * |---|---|
 * | 1 records | handshake (below) · u32 record count · per record: u8 stream, u32 length, body (record-codec) · keep |
 * | 2 refused | handshake · u8 source · f64 receivedAt · text reason · text channel · u32 length, payload · keep |
 * | 3 release | handshake; packet id 0 means all of the client |
 * | 4 barrier | – |
 * | 5 keyed records | text device · text key · 32 bytes fingerprint · then as records |
 * | 6 queues | u32 count · per change: u8 kind, f64 session, f64 place |
 * | 7 untaken | handshake · u8 reason · u8 stream · text device · u32 count · f64 bytes · f64 firstAt · f64 lastAt · keep |
 *
 * text: u16 length, UTF-8. handshake: text client id (empty: none), u32 packet id.
 * keep: u8 kind: 0 nothing, 1 the record, 2 with u32 length, payload behind it · f64 place · u8 retained · u8 QoS ·
 * f64 at · text topic · u32 copies · per copy: f64 session, u16 packet id, u8 QoS · payload.
 */

import type { Source, Untaken } from '../../core/record.ts';
import type { QueueChange } from '../../core/session.ts';

export const RECORDS = 1;
export const REFUSED = 2;
export const RELEASE = 3;
export const BARRIER = 4;
export const KEYED_RECORDS = 5;
export const QUEUES = 6;
export const UNTAKEN = 7;
export const FINGERPRINT_BYTES = 32;
export const KEPT_NOTHING = 0;
export const KEPT_RECORD = 1;
export const KEPT_PAYLOAD = 2;
export const CHANGES: readonly QueueChange['kind'][] = ['released', 'removed', 'ended'];
export const UNTAKEN_REASONS: readonly Untaken['reason'][] = ['share', 'overrun'];
export const SOURCES: readonly Source[] = ['mqtt', 'serial', 'http'];
