import type { LaneId } from '../../core/lane-log.ts';
import type { Seq, StoredRecord } from '../../core/record.ts';
import type { Outcome, SendOptions, Upstream } from '../../core/upstream.ts';
import type { Bounds } from '../bounded.ts';
import type { CloudEvents } from '../cloud-event.ts';
import type { TopicRoute } from '../options.ts';
import { PerLane } from '../per-lane.ts';
import { BatchSend } from './batch-send.ts';
import { CurrentClient, type CurrentClientOptions, notOpen } from './current-client.ts';
import { joined } from './joined.ts';
import type { KafkaClient, TopicMessages } from './kafka-client.ts';
import type { Target } from './target.ts';
import { createTargets, type Targets } from './targets.ts';

export interface KafkaUpstreamOptions extends CurrentClientOptions {
  readonly gatewayId: string;
  readonly events: CloudEvents;
  /** In their order; those without a topic of their own too. */
  readonly routes: readonly TopicRoute[];
}

/** Apache Kafka: acks=all, at least once, one request at a time per lane and so in order. */
export class KafkaUpstream implements Upstream {
  readonly #options: KafkaUpstreamOptions;
  readonly #targets: PerLane<Targets>;
  readonly #current: CurrentClient;

  constructor(options: KafkaUpstreamOptions) {
    this.#options = options;
    this.#targets = new PerLane(options.streams, ({ stream, range }) =>
      createTargets(stream, options, { ...options, lane: range?.kind }),
    );
    this.#current = new CurrentClient(options, topicsOf(this.#targets));
  }

  async open(signal: AbortSignal): Promise<void> {
    await this.#current.open(signal);
  }

  async send(lane: LaneId, after: Seq, records: readonly StoredRecord[], options: SendOptions): Promise<Outcome> {
    const client = this.#current.usable;
    const targets = this.#targets.get(lane);
    if (client === undefined || targets === undefined) return { upTo: after, rejected: [], error: notOpen() };
    const shares = targets.share(records).map(async ({ target, records: share }) => {
      const send = (from: Seq, rest: readonly StoredRecord[]) =>
        new BatchSend(this.#partsOf(client, target), rest, options).run(from);
      return { records: share, outcome: await target.delivered.complete(after, share, send) };
    });
    const [only, ...others] = await Promise.all(shares);
    if (only !== undefined && others.length === 0) return only.outcome;
    return joined(after, records, only === undefined ? [] : [only, ...others]);
  }

  bytesOf(lane: LaneId, record: StoredRecord): number {
    return this.#targets.get(lane)?.bytesOf(record) ?? 0;
  }

  finish(lane: LaneId): void {
    this.#targets.finish(lane);
  }

  probe(signal: AbortSignal): Promise<void> {
    return this.#current.probe(signal);
  }

  close(options: { readonly deadlineMs: number }): Promise<void> {
    return this.#current.close(options);
  }

  #partsOf(client: KafkaClient, target: Target) {
    return {
      client,
      brokers: this.#options.brokers,
      logger: this.#options.logger,
      targetOf: () => target,
      requestLimit: target.requestLimit,
      onTopicRefused: () => this.#current.makeTopicsAgain(),
      deliver: async (parts: readonly TopicMessages[], _upTo: Seq, bounds: Bounds) => {
        for (const { topic, messages } of parts) await client.produce(topic, messages, bounds);
      },
    };
  }
}

/** Each topic once. */
export function topicsOf(targets: PerLane<Targets>): readonly string[] {
  return [...new Set(targets.own().flatMap(({ all }) => all.map(({ topic }) => topic)))];
}
