import type { LaneId } from '../../core/lane-log.ts';

/**
 * What a lane is called at Kafka: its transactional id, and the group that its position belongs to. The backfills of a
 * stream share one, because their seqs only grow; those of replays do not.
 */
export function transactionName(gatewayId: string, uplink: string, { stream, range }: Omit<LaneId, 'uplink'>): string {
  const name = `sluice.${gatewayId}.${uplink}.${stream}`;
  if (range === undefined) return name;
  return range.kind === 'backfill' ? `${name}.backfill` : `${name}.replay-${range.id}`;
}
