import { SluiceError } from '../../core/errors.ts';
import type { LaneId, Outcome, SendOptions, Upstream } from '../../core/ports.ts';
import type { Seq, StoredRecord } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Bounds } from '../bounded.ts';
import type { CloudEvents } from '../cloud-event.ts';
import type { KafkaUplinkOptions, TopicRoute } from '../options.ts';
import { BatchSend } from './batch-send.ts';
import { joined } from './joined.ts';
import type { CreateKafkaClient, KafkaClient } from './kafka-client.ts';
import { createTargets, type Targets } from './targets.ts';

const BROKER_DEFAULTS = { partitions: -1, replicationFactor: -1 };

export interface KafkaUpstreamOptions extends KafkaUplinkOptions {
  readonly gatewayId: string;
  readonly events: CloudEvents;
  /** In their order; those without a topic of their own too. */
  readonly routes: readonly TopicRoute[];
  readonly logger: Logger;
  readonly createClient: CreateKafkaClient;
}

/** Apache Kafka: acks=all, at least once, one request at a time per lane and so in order. */
export class KafkaUpstream implements Upstream {
  readonly #options: KafkaUpstreamOptions;
  readonly #targets: ReadonlyMap<Stream, Targets>;
  #client: KafkaClient | undefined;
  #clientCount = 0;
  #areTopicsMade: boolean;

  constructor(options: KafkaUpstreamOptions) {
    this.#options = options;
    this.#targets = new Map(options.streams.map((stream) => [stream, createTargets(stream, options, options)]));
    this.#areTopicsMade = options.createTopics === false;
  }

  async open(signal: AbortSignal): Promise<void> {
    const { brokers, connectionTimeout } = this.#options;
    const bounds = { deadlineMs: connectionTimeout * brokers.length, signal };
    const known = this.#client?.isUsable === true ? this.#client : undefined;
    const client = known ?? this.#newClient();
    try {
      if (known === undefined) await client.connect(bounds);
      this.#client = client;
      if (!this.#areTopicsMade) await this.#createTopics(client, bounds);
    } catch (thrown) {
      const isCreating = this.#client === client;
      if (!isCreating) client.destroy();
      throw this.#openError(client, thrown, isCreating);
    }
  }

  async send(lane: LaneId, after: Seq, records: readonly StoredRecord[], options: SendOptions): Promise<Outcome> {
    const client = this.#client;
    const targets = this.#targets.get(lane.stream);
    if (client?.isUsable !== true || targets === undefined) return { upTo: after, rejected: [], error: notOpen() };
    const onTopicRefused = (): void => {
      this.#areTopicsMade = this.#options.createTopics === false;
    };
    const { brokers } = this.#options;
    const shares = targets.share(records).map(async ({ target, records: share }) => {
      const parts = { client, target, brokers, onTopicRefused };
      const send = (from: Seq, rest: readonly StoredRecord[]) => new BatchSend(parts, rest, options).run(from);
      return { records: share, outcome: await target.delivered.complete(after, share, send) };
    });
    const [only, ...others] = await Promise.all(shares);
    if (only !== undefined && others.length === 0) return only.outcome;
    return joined(after, records, only === undefined ? [] : [only, ...others]);
  }

  async probe(signal: AbortSignal): Promise<void> {
    const client = this.#client;
    if (client?.isUsable !== true) throw notOpen();
    try {
      await client.probe({ deadlineMs: this.#options.requestTimeout, signal });
    } catch (thrown) {
      throw this.#openError(client, thrown);
    }
  }

  async close({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.close(deadlineMs);
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
    await client.createMissingTopics(this.#topics(), how, bounds);
    this.#areTopicsMade = true;
  }

  #topics(): readonly string[] {
    return [...new Set([...this.#targets.values()].flatMap(({ all }) => all.map(({ topic }) => topic)))];
  }

  #openError(client: KafkaClient, thrown: unknown, isCreating = false): SluiceError {
    const topic = this.#topics().join(', ');
    const judgement = client.judge(thrown, { topic, brokers: this.#options.brokers, isCreating });
    if (judgement.kind === 'failure' && judgement.connection !== 'kept') client.retire();
    if (judgement.kind === 'failure' || judgement.kind === 'topic') return judgement.error;
    return new SluiceError(`Kafka cannot be opened: ${judgement.kind}`, { code: 'kafka_unreachable', retryable: true });
  }
}

function notOpen(): SluiceError {
  return new SluiceError('the connection to Kafka is not open', { code: 'not_open', retryable: true });
}
