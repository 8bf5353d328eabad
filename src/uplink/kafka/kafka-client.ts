import type { Logger } from '../../platform/logger.ts';
import type { Bounds } from '../bounded.ts';
import type { Compression, NewTopicOptions, SaslOptions, TlsOptions } from '../options.ts';
import type { JudgeContext, Judgement } from './judgement.ts';
import type { HashedMessage } from './partitioner.ts';

export interface KafkaClientOptions {
  /** `host:port`; the first is tried first. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly compression: Compression;
  /** Its files are read when the client is made. */
  readonly tls: boolean | TlsOptions;
  /** Its file is read at every login. */
  readonly sasl: false | SaslOptions;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly logger: Logger;
}

/** Messages for one topic, in their order. */
export interface TopicMessages {
  readonly topic: string;
  readonly messages: readonly HashedMessage[];
}

/** Where a consumer group keeps a position: partition 0 of the topic. */
export interface OffsetPlace {
  readonly group: string;
  readonly topic: string;
}

export interface CommittedOffset {
  readonly offset: number;
  readonly metadata: string;
}

export interface Transaction {
  readonly parts: readonly TopicMessages[];
  readonly place: OffsetPlace;
  readonly position: CommittedOffset;
}

/** So long a broker leaves a transaction open; readers of `read_committed` wait no longer for a gateway that died. */
export const TRANSACTION_TIMEOUT_MS = 10_000;

/** One transactional id at work. Not mended: after any failure another one must take over. */
export interface TransactionalProducer {
  /**
   * Once, before anything else. When it resolves, what was open under the id is committed or aborted, and whoever used
   * the id before is shut out. Rejects like `produce`.
   */
  takeOver(bounds: Bounds): Promise<void>;
  /** All of it or nothing. When it rejects, like `produce`, it is not known which. */
  transact(transaction: Transaction, bounds: Bounds): Promise<void>;
  /** Frees what is its own; what is open stays so. */
  drop(): void;
}

/**
 * One connection to Kafka from its beginning to its end, through whichever client library. It is never mended: a new
 * one takes its place.
 */
export interface KafkaClient {
  /** False once it was retired or destroyed. */
  readonly isUsable: boolean;
  connect(bounds: Bounds): Promise<void>;
  /**
   * Resolves when all replicas that are in sync have the messages, in their order within each partition. Rejects by
   * the deadline with whatever the library threw, for `judge`.
   */
  produce(topic: string, messages: readonly HashedMessage[], bounds: Bounds): Promise<void>;
  /** It ends with this client. */
  transactional(id: string): TransactionalProducer;
  /**
   * The position that a group has there, or undefined. `settled`: refuses to answer while a transaction that may move
   * it is open. Rejects like `produce`.
   */
  committed(
    place: OffsetPlace,
    options: { readonly settled: boolean },
    bounds: Bounds,
  ): Promise<CommittedOffset | undefined>;
  /** One question to any broker. Rejects like `produce`. */
  probe(bounds: Bounds): Promise<void>;
  /** Whether a refusal of the topic may be about another one that this client was used for. */
  mayMeanAnother(topic: string): boolean;
  createMissingTopics(topics: readonly string[], how: NewTopicOptions, bounds: Bounds): Promise<void>;
  /** What something thrown by this client means. */
  judge(thrown: unknown, context: JudgeContext): Judgement;
  /** Takes no more; what is in flight may still succeed. */
  retire(): void;
  /** Ends it at once. */
  destroy(): void;
  /** Ends it in good order, by the deadline. Never rejects. */
  close(deadlineMs: number): Promise<void>;
}

/** @throws SluiceError when a file of `tls` cannot be used */
export type CreateKafkaClient = (options: KafkaClientOptions) => KafkaClient;
