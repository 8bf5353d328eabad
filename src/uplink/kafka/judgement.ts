import { SluiceError } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import { TIMED_OUT } from '../bounded.ts';
import { ANSWER_TOO_LONG, answerTooLong } from './answer-limit.ts';
import { tlsError } from './tls-faults.ts';

/** What a fault means for the batch and for the connection. */
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

/** What went wrong, in the same words whichever client library met it. */
export interface Fault {
  /** Kafka's own name of the error (Kafka protocol, "Error Codes"); empty when it is none of them. */
  readonly type: string;
  /** Node's code of a failed connection. */
  readonly code: string | undefined;
  readonly message: string;
  /** True when the broker said so: the answer came over a sound connection. */
  readonly isAnswer: boolean;
  /** True when no answer came in time. */
  readonly isTimeout: boolean;
  /** True when the other side ended the connection in good order; a reset is told by `code`. */
  readonly isClosed: boolean;
}

export interface JudgeContext {
  readonly topic: string;
  readonly brokers: readonly string[];
  /** The topic was to be made. */
  readonly isCreating?: boolean;
  /** Of a transaction: its id, which is the group's too. */
  readonly name?: string;
}

const TOO_LARGE = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);
const RESETS = new Set(['ECONNRESET', 'EPIPE']);
const POISON = new Set(['INVALID_RECORD', 'CORRUPT_MESSAGE']);
const VERSION_HINT = 'use brokers of Kafka 2.5 or newer, and check that brokers names Kafka at all';
const MECHANISM_HINT = 'choose a sasl.mechanism that the brokers offer at this port';
const TRANSACTION_TOPIC_HINT = 'let this user Describe, Read and Write the topic {topic}';
const CREATE_HINT = 'let this user Create {topic}, or create it by hand and set createTopics to false';

const WRITE_HINT = 'let this user IdempotentWrite on the cluster';

/** What only people can mend at the topic, and how. */
const TOPIC_FAULTS: Readonly<Record<string, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'create the topic {topic}, or set createTopics',
  TOPIC_AUTHORIZATION_FAILED: 'let this user Describe and Write the topic {topic}',
  INVALID_TOPIC_EXCEPTION: 'mend the topic name {topic} in topics',
};

/** What only people can mend elsewhere. */
const CONFIGURATION_FAULTS: Readonly<Record<string, string>> = {
  CLUSTER_AUTHORIZATION_FAILED: WRITE_HINT,
  INVALID_REQUIRED_ACKS:
    'let the brokers take acks=all; check that brokers names Kafka itself, and nothing that speaks for it',
  SECURITY_DISABLED: 'turn on security at the brokers, or log in without it',
  UNSUPPORTED_COMPRESSION_TYPE: 'set compression to none, or let the topic {topic} take it',
  UNSUPPORTED_VERSION: VERSION_HINT,
  UNSUPPORTED_FOR_MESSAGE_FORMAT: VERSION_HINT,
  POLICY_VIOLATION: "mend createTopics to fit the brokers' policy, or create {topic} by hand",
  INVALID_PARTITIONS: 'mend createTopics.partitions',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'let this user Describe and Write the transactional id {name}',
  GROUP_AUTHORIZATION_FAILED: 'let this user Describe and Read the group {name}',
  INVALID_TRANSACTION_TIMEOUT: 'raise transaction.max.timeout.ms of the brokers to 10000',
  INVALID_REPLICATION_FACTOR: 'mend createTopics.replicationFactor: there are not so many brokers',
};

const LOGIN_FAULTS: Readonly<Record<string, string>> = {
  SASL_AUTHENTICATION_FAILED: 'mend user name and password, or the token; their files are read again at each attempt',
  UNSUPPORTED_SASL_MECHANISM: MECHANISM_HINT,
  ILLEGAL_SASL_STATE: MECHANISM_HINT,
};

/** `cause`: what the client threw. */
export function judge(fault: Fault, context: JudgeContext, cause: unknown): Judgement {
  const { type, isAnswer, isTimeout } = fault;
  const detail = printable(fault.message, 300);
  if (TOO_LARGE.has(type)) return { kind: 'too_large', detail };
  if (type === 'INVALID_TIMESTAMP') return { kind: 'timestamp' };
  if (POISON.has(type)) {
    return { kind: 'poison', reason: type.toLowerCase(), detail, isCertain: type !== 'CORRUPT_MESSAGE' };
  }
  const topicHint = TOPIC_FAULTS[type];
  if (topicHint !== undefined) return { kind: 'topic', error: refusal(type, detail, fill(topicHint, context)) };
  const connection = isTimeout ? 'dead' : isAnswer ? 'kept' : 'lost';
  const loginHint = LOGIN_FAULTS[type];
  if (loginHint !== undefined) return { kind: 'failure', error: noLogin(type, detail, loginHint), connection: 'lost' };
  const hint = CONFIGURATION_FAULTS[type];
  if (hint !== undefined) return { kind: 'failure', error: refusal(type, detail, fill(hint, context)), connection };
  const refusedTls = tlsError(fault.code, detail);
  if (refusedTls !== undefined) return { kind: 'failure', error: refusedTls, connection };
  return { kind: 'failure', error: passing({ ...fault, message: detail }, context, cause), connection };
}

/** What was not the client's: a deadline of ours, or a stop. */
export function judgeOwn(error: SluiceError): Judgement {
  return { kind: 'failure', error, connection: error.code === TIMED_OUT ? 'dead' : 'lost' };
}

function fill(hint: string, { topic, isCreating = false, name }: JudgeContext): string {
  const isOnTopic = hint === TOPIC_FAULTS['TOPIC_AUTHORIZATION_FAILED'];
  const inTransaction = isOnTopic && name !== undefined ? TRANSACTION_TOPIC_HINT : hint;
  const isToBeMade = isCreating && (isOnTopic || hint === WRITE_HINT);
  const isAbout = isToBeMade ? CREATE_HINT : inTransaction;
  return isAbout.replace('{topic}', topic).replace('{name}', name ?? '');
}

function noLogin(type: string, detail: string, hint: string): SluiceError {
  return new SluiceError(`Kafka does not let this user in: ${detail}`, { code: type.toLowerCase(), hint });
}

function refusal(type: string, detail: string, hint: string): SluiceError {
  return new SluiceError(`Kafka refuses the records: ${detail}`, { code: type.toLowerCase(), hint });
}

function passing(fault: Fault, { brokers }: JudgeContext, cause: unknown): SluiceError {
  const { type, isTimeout, message } = fault;
  if (isTimeout) {
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
  if (fault.code === ANSWER_TOO_LONG) return answerTooLong(message, cause);
  if (fault.isClosed || RESETS.has(fault.code ?? '')) {
    return new SluiceError(`Kafka ended the connection: ${message}`, {
      code: 'kafka_unreachable',
      retryable: true,
      hint: `check that Kafka runs at ${brokers.join(', ')}, and compare tls and sasl with what it asks for there`,
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
