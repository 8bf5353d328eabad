/** What an uplink is told, by the names of the configuration: durations in milliseconds, sizes in bytes. */

import type { Seq } from '../core/record.ts';
import type { RouteOptions } from '../core/route.ts';
import type { Stream } from '../core/stream.ts';

/** What upstreams are told about the gateway. */
export interface GatewayIdentity {
  readonly gatewayId: string;
  /** Of this data directory on this machine. */
  readonly instanceId: string;
  /** For people. */
  readonly hostName: string;
  /** Of the log. */
  readonly epoch: string;
  /** No record of an earlier run of this gateway has this seq or a higher one. */
  readonly firstSeq: Seq;
}

export interface BatchOptions {
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** How long a batch that is not full waits for more. */
  readonly maxWait: number;
}

export interface BackoffOptions {
  readonly initial: number;
  readonly max: number;
}

/** What a link may carry; bytes of key, value and headers before compression. 0: as much as it can. */
export interface MeterOptions {
  readonly maxBytesPerSecond: number;
  /** Each UTC day. */
  readonly maxBytesPerDay: number;
  /** Events go on when the day's budget is spent. */
  readonly eventsOverBudget: boolean;
}

export interface OrderOptions {
  /** `live_first`: after an outage fresh records go first, and the backlog beside them. Only telemetry, and events if so. */
  readonly order: 'strict' | 'live_first';
  readonly eventsLiveFirst: boolean;
  /** Of the link, while there are fresh records too. Above 0, up to 1. */
  readonly backlogShare: number;
}

interface CommonOptions extends MeterOptions, OrderOptions {
  /** The lanes' positions in the log are kept under this name. */
  readonly name: string;
  readonly streams: readonly Stream[];
  /** Where a new lane begins. */
  readonly from: 'oldest' | 'now';
  readonly typePrefix: string;
  readonly batch: BatchOptions;
  readonly backoff: BackoffOptions;
}

export interface NewTopicOptions {
  /** -1: what the broker has set. */
  readonly partitions: number;
  /** -1: what the broker has set. */
  readonly replicationFactor: number;
}

export type Compression = 'none' | 'gzip' | 'zstd';

export interface TlsOptions {
  /** PEM files, absolute. When there is no `caFile`: the authorities that Node.js knows. */
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** Asked for by SNI, and borne by the brokers' certificates. When there is none: the host of each broker. */
  readonly serverName?: string | undefined;
}

/** `oauthbearer` has `tokenFile`; the others have `username`, and `password` or `passwordFile`. Files are absolute. */
export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512' | 'oauthbearer';
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly tokenFile?: string | undefined;
}

/** The library that speaks to Kafka. */
export type KafkaClientName = 'kafkajs' | 'platformatic';

/** What a Kafka uplink knows of a route of MQTT topics. Of several that fit a record's channel the first counts. */
export type TopicRoute = Pick<RouteOptions, 'topic' | 'stream' | 'kafkaTopic'>;

export interface KafkaUplinkOptions extends CommonOptions {
  readonly type: 'kafka';
  readonly client: KafkaClientName;
  /** `host:port`, IPv6 hosts in brackets. */
  readonly brokers: readonly string[];
  readonly tls: boolean | TlsOptions;
  readonly sasl: false | SaslOptions;
  readonly clientId: string;
  readonly delivery: 'at_least_once' | 'exactly_once';
  /** Instance id of the gateway whose name at Kafka this one takes over. */
  readonly replaces?: string | undefined;
  readonly compression: Compression;
  /** Templates of `{gateway}` and `{stream}`. */
  readonly topics: Readonly<Record<Stream, string>>;
  /** Template of `{gateway}`, `{device}` and `{stream}`. */
  readonly key: string;
  readonly timestamp: 'sent' | 'observed';
  readonly envelope: 'binary' | 'structured';
  readonly channelHeader: boolean;
  readonly createTopics: boolean | NewTopicOptions;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
}

export interface FileUplinkOptions extends CommonOptions {
  readonly type: 'file';
  /** Made when its parent exists. Not shared with another uplink. */
  readonly directory: string;
  readonly rotateBytes: number;
}

export type UplinkOptions = KafkaUplinkOptions | FileUplinkOptions;
