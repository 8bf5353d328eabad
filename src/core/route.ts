import type { Format } from './format.ts';

/** Streams that routes may feed. */
export const ROUTED_STREAMS = ['telemetry', 'events', 'state'] as const;

/** What becomes of one metric: not stored, stored under another name, or that, reckoned anew, with a unit to show. */
export type MetricRule =
  | false
  | string
  | {
      readonly name?: string | undefined;
      /** The value is multiplied by it, then `offset` is added. */
      readonly scale?: number | undefined;
      readonly offset?: number | undefined;
      readonly unit?: string | undefined;
    };

/** How messages of foreign firmware become records. Templates hold the names of the topic's captures in braces. */
export interface RouteOptions {
  /** Topic filter with named captures. */
  readonly topic: string;
  readonly stream: (typeof ROUTED_STREAMS)[number];
  /** Template; the id is normalised. `{base}` is SenML's base name. */
  readonly device: string;
  /** Template: name of a payload that is one value, and what stands before the names of several. */
  readonly metric?: string | undefined;
  /** Template, for `events`. */
  readonly eventType?: string | undefined;
  /** Default: JSON; for `events` JSON or text, as it comes. */
  readonly format?: Format | undefined;
  /** csv only. */
  readonly columns?: readonly string[] | undefined;
  readonly separator?: string | undefined;
  readonly decimal?: '.' | ',' | undefined;
  /** Name, as the payload has it, of the value that is the time of observation; default `ts`. */
  readonly time?: string | undefined;
  /** IANA zone of times without an offset. */
  readonly zone?: string | undefined;
  /** Where the records go in Kafka: template of `{gateway}` and `{stream}`; default: the topic of the stream. */
  readonly kafkaTopic?: string | undefined;
  /** By the name that a metric would have without a rule. */
  readonly metrics?: Readonly<Record<string, MetricRule>> | undefined;
}
