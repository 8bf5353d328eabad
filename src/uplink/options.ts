/** What an uplink is told, by the names of the configuration: durations in milliseconds, sizes in bytes. */

import type { Stream } from '../core/stream.ts';

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

interface CommonOptions {
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

export interface KafkaUplinkOptions extends CommonOptions {
  readonly type: 'kafka';
  /** `host:port`, IPv6 hosts in brackets. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly compression: 'none' | 'gzip';
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
