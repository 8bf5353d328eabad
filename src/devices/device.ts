import type { Seq } from '../core/record.ts';
import { parseSecretHash } from '../core/secret-hash.ts';
import type { DeviceRow } from '../core/state-store.ts';
import { type LatestBudget, LatestValues } from './latest-values.ts';

export interface Device {
  readonly id: string;
  /** Null when it cannot log in. */
  secretHash: string | null;
  firstSeenAt: number | null;
  lastSeenAt: number | null;
  lastSeq: Seq;
  readonly latest: LatestValues;
}

export function newDevice(id: string, budget: LatestBudget): Device {
  return { id, secretHash: null, firstSeenAt: null, lastSeenAt: null, lastSeq: 0, latest: new LatestValues(budget) };
}

/** Latest values that cannot be read are left out: the next records bring new ones. */
export function deviceOf(row: DeviceRow, budget: LatestBudget): Device {
  const device = newDevice(row.id, budget);
  device.firstSeenAt = row.firstSeenAt;
  device.lastSeenAt = row.lastSeenAt;
  if (row.secretHash !== null && parseSecretHash(row.secretHash) !== undefined) device.secretHash = row.secretHash;
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
    secretHash: device.secretHash,
    firstSeenAt: device.firstSeenAt,
    lastSeenAt: device.lastSeenAt,
    latest: device.latest.size === 0 ? null : device.latest.toJson(),
  };
}
