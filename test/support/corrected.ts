import type { BootStart, NewRecord } from '../../src/core/record.ts';

/** The record as it is once the clock was synchronised in that boot. */
export function corrected<Known extends NewRecord>(record: Known, { bootId, startedAt }: BootStart): Known {
  if (record.bootTime?.bootId !== bootId) return record;
  return { ...record, receivedAt: startedAt + record.bootTime.uptimeMs, timeQuality: 'corrected' };
}
