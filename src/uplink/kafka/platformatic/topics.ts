import type { Admin } from '@platformatic/kafka';
import { type Bounds, pause } from '../../bounded.ts';
import type { NewTopicOptions } from '../../options.ts';
import { saysOnly } from './errors.ts';

const LEADER_POLL_MS = 50;
const LATEST = -1n;

/** Resolves when those that were missing take records. */
export async function createMissingTopics(
  admin: Admin,
  topics: readonly string[],
  { partitions, replicationFactor }: NewTopicOptions,
  bounds: Bounds,
): Promise<void> {
  const known = new Set(await admin.listTopics());
  const missing = topics.filter((topic) => !known.has(topic));
  if (missing.length === 0) return;
  await admin.createTopics({ topics: missing, partitions, replicas: replicationFactor }).catch((error: unknown) => {
    // Another gateway may have been faster.
    if (!saysOnly(error, 'TOPIC_ALREADY_EXISTS')) throw error;
  });
  for (const topic of missing) await untilLed(admin, topic, bounds);
}

/**
 * A new topic is known late, and its leaders are named before they lead. A batch that one of them refuses is sent again
 * to all, so it pays to wait until each answers.
 */
async function untilLed(admin: Admin, name: string, { deadlineMs, signal }: Bounds): Promise<void> {
  const until = performance.now() + deadlineMs;
  while (performance.now() < until && !signal.aborted) {
    try {
      const { topics } = await admin.metadata({ topics: [name], forceUpdate: true });
      const count = topics.get(name)?.partitionsCount ?? 0;
      const partitions = Array.from({ length: count }, (_, partitionIndex) => ({ partitionIndex, timestamp: LATEST }));
      await admin.listOffsets({ topics: [{ name, partitions }] });
      return;
    } catch {
      await pause(LEADER_POLL_MS, signal);
    }
  }
}
