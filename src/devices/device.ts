import type { DeviceRow } from '../core/ports.ts';
import type { Seq } from '../core/record.ts';
import { type LatestBudget, LatestValues } from './latest-values.ts';

export interface Device {
  readonly id: string;
  /** SHA-256 of its secret; null when it cannot log in. */
  secretHash: Buffer | null;
  firstSeenAt: number | null;
  lastSeenAt: number | null;
  lastSeq: Seq;
  readonly latest: LatestValues;
}

const SHA256_HEX = /^[0-9a-f]{64}$/;

export function newDevice(id: string, budget: LatestBudget): Device {
  return { id, secretHash: null, firstSeenAt: null, lastSeenAt: null, lastSeq: 0, latest: new LatestValues(budget) };
}

/** Latest values that cannot be read are left out: the next records bring new ones. */
export function deviceOf(row: DeviceRow, budget: LatestBudget): Device {
  const device = newDevice(row.id, budget);
  device.firstSeenAt = row.firstSeenAt;
  device.lastSeenAt = row.lastSeenAt;
  if (row.secretHash !== null && SHA256_HEX.test(row.secretHash))
    device.secretHash = Buffer.from(row.secretHash, 'hex');
  if (row.latest === null) return device;
  try {
    device.latest.load(row.latest);
  } catch {
    device.latest.clear();
  }
  return device;
}

export function rowOf(device: Device): DeviceRow {
  return {
    id: device.id,
    secretHash: device.secretHash?.toString('hex') ?? null,
    firstSeenAt: device.firstSeenAt,
    lastSeenAt: device.lastSeenAt,
    latest: device.latest.size === 0 ? null : device.latest.toJson(),
  };
}
