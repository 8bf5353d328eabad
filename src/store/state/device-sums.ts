import { crc32 } from 'node:zlib';
import type { DeviceRow } from '../../core/ports.ts';

/** A row of a device with the checksums that stand beside it. A flipped bit in it is none that SQLite would notice. */
export interface SummedDevice extends DeviceRow {
  readonly secretSum: number | null;
  readonly seenSum: number | null;
}

export function secretSum({ id, secretHash }: Pick<DeviceRow, 'id' | 'secretHash'>): number {
  return crc32(JSON.stringify([id, secretHash]));
}

export function seenSum({ id, firstSeenAt, lastSeenAt, latest }: Omit<DeviceRow, 'secretHash'>): number {
  return crc32(JSON.stringify([id, firstSeenAt, lastSeenAt, latest]));
}

export function isIntactDevice(device: SummedDevice): boolean {
  const { secretSum: ofSecret, seenSum: ofSeen } = device;
  return (ofSecret ?? secretSum(device)) === secretSum(device) && (ofSeen ?? seenSum(device)) === seenSum(device);
}
