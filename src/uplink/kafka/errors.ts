import { messageOf, SluiceError } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import { TIMED_OUT } from '../bounded.ts';

/** What an error of kafkajs means for the batch and for the connection. Its own `retriable` cannot be trusted. */
export type Judgement =
  /** The batch, or a record in it, is larger than the topic takes. */
  | { readonly kind: 'too_large'; readonly detail: string }
  /** A record in the batch can never be taken. Not `isCertain`: the network may have done it. */
  | { readonly kind: 'poison'; readonly reason: string; readonly detail: string; readonly isCertain: boolean }
  /** The topic does not take the time of a record in the batch. */
  | { readonly kind: 'timestamp' }
  /** The topic, or another one that this connection was used for, is missing or closed to us. */
  | { readonly kind: 'topic'; readonly error: SluiceError }
  /** `lost`: the connection should be made anew. `dead`: it must not be used for a moment longer. */
  | { readonly kind: 'failure'; readonly error: SluiceError; readonly connection: 'kept' | 'lost' | 'dead' };

export interface JudgeContext {
  readonly topic: string;
  readonly brokers: readonly string[];
}

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);
const POISON = new Set(['INVALID_RECORD', 'CORRUPT_MESSAGE']);
const DEAD = new Set(['KafkaJSRequestTimeoutError', 'KafkaJSTimeout', 'KafkaJSLockTimeout']);
const VERSION_HINT = 'use brokers of Kafka 2.1 or newer, and check that brokers names Kafka at all';
const MECHANISM_HINT = 'choose a mechanism that the brokers offer';

/** What only people can mend at the topic, and how. */
const TOPIC_FAULTS: Readonly<Record<string, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'create the topic {topic}, or set createTopics',
  TOPIC_AUTHORIZATION_FAILED: 'let this user Describe and Write the topic {topic}',
  INVALID_TOPIC_EXCEPTION: 'mend the topic name {topic} in topics',
};

/** What only people can mend elsewhere, by the type of the broker's answer or the name of kafkajs's error. */
const CONFIGURATION_FAULTS: Readonly<Record<string, string>> = {
  CLUSTER_AUTHORIZATION_FAILED: 'let this user Create topics, or create {topic} by hand and set createTopics to false',
  SASL_AUTHENTICATION_FAILED: 'mend user name or password',
  KafkaJSSASLAuthenticationError: 'mend user name, password or mechanism',
  UNSUPPORTED_SASL_MECHANISM: MECHANISM_HINT,
  ILLEGAL_SASL_STATE: MECHANISM_HINT,
  SECURITY_DISABLED: 'turn on security at the brokers, or log in without it',
  UNSUPPORTED_COMPRESSION_TYPE: 'set compression to none, or let the topic {topic} take it',
  UNSUPPORTED_VERSION: VERSION_HINT,
  UNSUPPORTED_FOR_MESSAGE_FORMAT: VERSION_HINT,
  KafkaJSServerDoesNotSupportApiKey: VERSION_HINT,
  POLICY_VIOLATION: "mend createTopics to fit the brokers' policy, or create {topic} by hand",
  INVALID_PARTITIONS: 'mend createTopics.partitions',
  INVALID_REPLICATION_FACTOR: 'mend createTopics.replicationFactor: there are not so many brokers',
};

export function judge(thrown: unknown, context: JudgeContext): Judgement {
  if (thrown instanceof SluiceError) {
    return { kind: 'failure', error: thrown, connection: thrown.code === TIMED_OUT ? 'dead' : 'lost' };
  }
  const { name, type, message } = rootOf(thrown);
  const detail = printable(message, 300);
  if (TOO_LARGE.has(type)) return { kind: 'too_large', detail };
  if (type === 'INVALID_TIMESTAMP') return { kind: 'timestamp' };
  if (POISON.has(type)) {
    return { kind: 'poison', reason: type.toLowerCase(), detail, isCertain: type !== 'CORRUPT_MESSAGE' };
  }
  const topicHint = TOPIC_FAULTS[type];
  if (topicHint !== undefined) return { kind: 'topic', error: refusal(type, detail, fill(topicHint, context)) };
  // An answer of the broker came over a sound connection.
  const connection = DEAD.has(name) ? 'dead' : type === '' ? 'lost' : 'kept';
  const hint = CONFIGURATION_FAULTS[type] ?? CONFIGURATION_FAULTS[name];
  if (hint !== undefined) return { kind: 'failure', error: refusal(type, detail, fill(hint, context)), connection };
  return { kind: 'failure', error: passing({ name, type, message: detail }, context, thrown), connection };
}

interface Root {
  readonly name: string;
  /** Of the broker's answer; empty when it is not about one. */
  readonly type: string;
  readonly message: string;
}

/** kafkajs wraps errors in others that say less. */
function rootOf(thrown: unknown): Root {
  let error = thrown;
  for (let inner = innerOf(error); inner !== undefined; inner = innerOf(error)) error = inner;
  const type = textProperty(error, 'type');
  return { name: textProperty(error, 'name'), type, message: messageOf(error) };
}

function innerOf(error: unknown): Error | undefined {
  if (!(error instanceof Error) || textProperty(error, 'type') !== '') return undefined;
  const inner = 'errors' in error && Array.isArray(error.errors) ? (error.errors as unknown[])[0] : error.cause;
  return inner instanceof Error && inner !== error ? inner : undefined;
}

function textProperty(error: unknown, property: 'type' | 'name'): string {
  if (typeof error !== 'object' || error === null || !(property in error)) return '';
  const value = (error as Record<string, unknown>)[property];
  return typeof value === 'string' ? value : '';
}

function fill(hint: string, { topic }: JudgeContext): string {
  return hint.replace('{topic}', topic);
}

function refusal(type: string, detail: string, hint: string): SluiceError {
  const code = type === '' ? 'kafka_refused' : type.toLowerCase();
  return new SluiceError(`Kafka refuses the records: ${detail}`, { code, hint });
}

function passing({ name, type, message }: Root, { brokers }: JudgeContext, cause: unknown): SluiceError {
  if (DEAD.has(name)) {
    return new SluiceError(`Kafka did not answer in time: ${message}`, {
      code: TIMED_OUT,
      retryable: true,
      hint: 'the connection is made anew; when the line is only slow, lower batch.maxBytes or raise requestTimeout',
      cause,
    });
  }
  if (type !== '') {
    return new SluiceError(`Kafka does not take the records now: ${message}`, {
      code: type.toLowerCase(),
      retryable: true,
      cause,
    });
  }
  return new SluiceError(`Kafka cannot be reached: ${message}`, {
    code: 'kafka_unreachable',
    retryable: true,
    hint: `check that Kafka runs at ${brokers.join(', ')} and that the network leads there`,
    cause,
  });
}
