import type { RangeKind } from '../../core/lane-log.ts';
import type { Stream } from '../../core/stream.ts';
import type { CloudEvents } from '../cloud-event.ts';
import type { KafkaUplinkOptions } from '../options.ts';
import { DeliveredPart } from './delivered-part.ts';
import { BATCH_OVERHEAD_BYTES, MessageBuilder } from './message-builder.ts';
import { RequestLimit } from './request-limit.ts';
import { renderTemplate } from './template.ts';
import { TopicTime } from './topic-time.ts';

/** A topic that records of one stream go to, and what was learned about it. */
export interface Target {
  readonly topic: string;
  readonly builder: MessageBuilder;
  readonly requestLimit: RequestLimit;
  readonly delivered: DeliveredPart;
  readonly time: TopicTime;
  /** Refusals of the topic in a row. */
  refusedCount: number;
}

export interface TargetParts {
  readonly gatewayId: string;
  readonly events: CloudEvents;
  /** Set for what is sent beside its lane. */
  readonly lane?: RangeKind | undefined;
}

/** `topic`: template of `{gateway}` and `{stream}`. */
export function createTarget(
  stream: Stream,
  topic: string,
  options: KafkaUplinkOptions,
  { gatewayId, events, lane }: TargetParts,
): Target {
  const { key, envelope, channelHeader } = options;
  return {
    topic: renderTemplate(topic, { gateway: gatewayId, stream }),
    builder: new MessageBuilder({ stream, events, gatewayId, key, envelope, channelHeader, lane }),
    requestLimit: new RequestLimit(Math.max(1, options.batch.maxBytes - BATCH_OVERHEAD_BYTES)),
    delivered: new DeliveredPart(),
    time: new TopicTime(options.timestamp),
    refusedCount: 0,
  };
}
