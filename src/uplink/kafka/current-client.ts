import { SluiceError } from '../../core/errors.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Bounds } from '../bounded.ts';
import type { KafkaUplinkOptions } from '../options.ts';
import type { JudgeContext } from './judgement.ts';
import type { CreateKafkaClient, KafkaClient } from './kafka-client.ts';

const BROKER_DEFAULTS = { partitions: -1, replicationFactor: -1 };

export interface CurrentClientOptions extends KafkaUplinkOptions {
  readonly logger: Logger;
  readonly createClient: CreateKafkaClient;
}

/** The client that an upstream works with now: made, used until it fails, replaced. */
export class CurrentClient {
  readonly #options: CurrentClientOptions;
  readonly #topics: readonly string[];
  #client: KafkaClient | undefined;
  #clientCount = 0;
  #areTopicsMade: boolean;

  /** `topics`: all that records may go to. */
  constructor(options: CurrentClientOptions, topics: readonly string[]) {
    this.#options = options;
    this.#topics = topics;
    this.#areTopicsMade = options.createTopics === false;
  }

  /** Undefined when it must be opened first. */
  get usable(): KafkaClient | undefined {
    return this.#client?.isUsable === true ? this.#client : undefined;
  }

  async open(signal: AbortSignal): Promise<KafkaClient> {
    const { brokers, connectionTimeout } = this.#options;
    const bounds = { deadlineMs: connectionTimeout * brokers.length, signal };
    const known = this.usable;
    const client = known ?? this.#newClient();
    try {
      if (known === undefined) await client.connect(bounds);
      this.#client = client;
      if (!this.#areTopicsMade) await this.#createTopics(client, bounds);
      return client;
    } catch (thrown) {
      const isCreating = this.#client === client;
      if (!isCreating) client.destroy();
      throw this.errorOf(client, thrown, { isCreating });
    }
  }

  async probe(signal: AbortSignal): Promise<void> {
    const client = this.usable;
    if (client === undefined) throw notOpen();
    try {
      await client.probe({ deadlineMs: this.#options.requestTimeout, signal });
    } catch (thrown) {
      throw this.errorOf(client, thrown);
    }
  }

  async close({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.close(deadlineMs);
  }

  /** A topic may be missing: the next `open` makes it, when topics are to be made. */
  makeTopicsAgain(): void {
    this.#areTopicsMade = this.#options.createTopics === false;
  }

  /** What something thrown by the client means for the uplink; takes the client out of use when it must be replaced. */
  errorOf(client: KafkaClient, thrown: unknown, context: Pick<JudgeContext, 'isCreating' | 'name'> = {}): SluiceError {
    const topic = this.#topics.join(', ');
    const judgement = client.judge(thrown, { topic, brokers: this.#options.brokers, ...context });
    if (judgement.kind === 'failure' && judgement.connection !== 'kept') client.retire();
    if (judgement.kind === 'failure' || judgement.kind === 'topic') return judgement.error;
    return new SluiceError(`Kafka cannot be opened: ${judgement.kind}`, { code: 'kafka_unreachable', retryable: true });
  }

  #newClient(): KafkaClient {
    const { brokers, createClient } = this.#options;
    // Each client begins with another broker: one that takes connections and never answers must not stop all.
    const first = this.#clientCount % brokers.length;
    this.#clientCount += 1;
    return createClient({ ...this.#options, brokers: [...brokers.slice(first), ...brokers.slice(0, first)] });
  }

  async #createTopics(client: KafkaClient, bounds: Bounds): Promise<void> {
    const { createTopics } = this.#options;
    const how = typeof createTopics === 'boolean' ? BROKER_DEFAULTS : createTopics;
    await client.createMissingTopics(this.#topics, how, bounds);
    this.#areTopicsMade = true;
  }
}

export function notOpen(): SluiceError {
  return new SluiceError('the connection to Kafka is not open', { code: 'not_open', retryable: true });
}
