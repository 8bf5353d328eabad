import type { Stream } from '../../core/stream.ts';

/** What a lane is called at Kafka: its transactional id, and the group that its position belongs to. */
export function transactionName(gatewayId: string, uplink: string, stream: Stream): string {
  return `sluice.${gatewayId}.${uplink}.${stream}`;
}
