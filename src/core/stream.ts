/**
 * A class of records with its own table, priority, limits and Kafka topic.
 * The order is the order of reclaim: what stands first is given up first.
 */
export const STREAMS = ['telemetry', 'events', 'state', 'responses', 'gaps'] as const;

export type Stream = (typeof STREAMS)[number];

export function isStream(name: string): name is Stream {
  return (STREAMS as readonly string[]).includes(name);
}
