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
  /** Template; the id is normalised. `{base}` is SenML's base name, `{device}` what `deviceFrom` names. */
  readonly device: string;
  /** Each payload begins with a topic of the default namespace, without its device, and a blank; no other option reads it. */
  readonly topicFirst?: boolean | undefined;
  /** Name, as the payload has it, of the value that says whose it is; all readings of a message say the same. */
  readonly deviceFrom?: string | undefined;
  /** Name, as the payload has it, of the value that is the number of the frame: a repeated one is not stored again. */
  readonly frameFrom?: string | undefined;
  /** Template: name of a payload that is one value, and what stands before the names of several. */
  readonly metric?: string | undefined;
  /** Template, for `events`. */
  readonly eventType?: string | undefined;
  /** Default: JSON; for `events` JSON or text, as it comes. */
  readonly format?: Format | undefined;
  /** csv and struct. */
  readonly columns?: readonly string[] | undefined;
  /** struct: as Python's struct module writes it. */
  readonly layout?: string | undefined;
  /** regex: an expression of RE2 with named groups. */
  readonly pattern?: string | undefined;
  /** csv only. */
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
