import { Buffer } from 'node:buffer';
import type { LogEntry } from '../../src/core/ports.ts';
import type { NewRecord } from '../../src/core/record.ts';

/** A telemetry record of `device-1`, but for what the test says. */
export function newRecord(changes: Partial<NewRecord> = {}): NewRecord {
  return {
    stream: 'telemetry',
    device: 'device-1',
    receivedAt: Date.now(),
    observedAt: null,
    timeQuality: 'synced',
    contentType: 'application/json',
    eventType: null,
    channel: 'devices/device-1/telemetry',
    value: Buffer.from('{"temperature":21.5}'),
    ...changes,
  };
}

export function entryOf(...records: readonly NewRecord[]): LogEntry {
  return { kind: 'records', records, handshake: null };
}
