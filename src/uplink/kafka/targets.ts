import { isDeviceTopic } from '../../core/device-topic.ts';
import { FirstMatch } from '../../core/first-match.ts';
import type { StoredRecord } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import { parseTopicPattern } from '../../core/topic-pattern.ts';
import type { KafkaUplinkOptions, TopicRoute } from '../options.ts';
import { messageBytes } from './message-builder.ts';
import { createTarget, type Target, type TargetParts } from './target.ts';

const CHANNELS_KEPT = 10_000;

/** Records of a batch that go to one topic, in their order. */
export interface Share {
  readonly target: Target;
  readonly records: readonly StoredRecord[];
}

/** Where the records of one stream go: to the topic of the stream, unless the route they came by names another. */
export class Targets {
  readonly all: readonly [Target, ...Target[]];
  /** Undefined when no route names a topic. */
  readonly #routes: FirstMatch<Target> | undefined;
  readonly #known = new Map<string, Target>();

  constructor(own: Target, routed: readonly Target[], routes: FirstMatch<Target> | undefined) {
    this.all = [own, ...routed];
    this.#routes = routes;
  }

  share(records: readonly StoredRecord[]): readonly Share[] {
    const [own] = this.all;
    if (this.#routes === undefined) return [{ target: own, records }];
    const shares = Map.groupBy(records, (record) => this.targetOf(record));
    return [...shares].map(([target, share]) => ({ target, records: share }));
  }

  targetOf({ channel }: StoredRecord): Target {
    const routes = this.#routes;
    return routes === undefined ? this.all[0] : (this.#known.get(channel) ?? this.#find(routes, channel));
  }

  /** What the record takes on the wire, or a few bytes more. */
  bytesOf(record: StoredRecord): number {
    const { builder, time } = this.targetOf(record);
    const kind = time.kindAt(performance.now());
    return messageBytes(builder.build(record, { sentAt: Date.now(), kind }));
  }

  /** As `ingest` chose: the default namespace comes first. */
  #find(routes: FirstMatch<Target>, channel: string): Target {
    const [own] = this.all;
    const target = isDeviceTopic(channel) ? own : (routes.find(channel) ?? own);
    if (this.#known.size >= CHANNELS_KEPT) this.#known.clear();
    this.#known.set(channel, target);
    return target;
  }
}

export interface TargetsParts extends TargetParts {
  readonly routes: readonly TopicRoute[];
}

/** Routes of other streams, and those without a topic of their own, keep their place in the order: the first that fits counts. */
export function createTargets(stream: Stream, options: KafkaUplinkOptions, parts: TargetsParts): Targets {
  const own = createTarget(stream, options.topics[stream], options, parts);
  const byTopic = new Map([[own.topic, own]]);
  const found = new FirstMatch<Target>();
  for (const { topic, stream: fed, kafkaTopic } of parts.routes) {
    const pattern = parseTopicPattern(topic);
    if (typeof pattern === 'string') throw new Error(`the topic of a route ${pattern}`);
    const isOwn = kafkaTopic === undefined || fed !== stream;
    const target = isOwn ? own : createTarget(stream, kafkaTopic, options, parts);
    const known = byTopic.get(target.topic) ?? target;
    byTopic.set(known.topic, known);
    found.add(pattern.filter, known);
  }
  const [, ...routed] = byTopic.values();
  return new Targets(own, routed, routed.length === 0 ? undefined : found);
}
