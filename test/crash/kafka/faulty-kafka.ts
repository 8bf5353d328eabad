import type { SeededRandom } from '../../support/random.ts';

/** A Kafka that things happen to. */
export interface FaultyKafka {
  /** `host:port` of each broker. */
  readonly addresses: readonly string[];
  /** What happens in turn, by its name. Each resolves when Kafka can take records again. */
  readonly faults: Readonly<Record<string, (random: SeededRandom) => Promise<void>>>;
  /** Resolves when everything is again as it was before the fault. */
  heal(): Promise<void>;
  remove(): Promise<void>;
}
