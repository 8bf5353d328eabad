import { codeOf, messageOf, SluiceError } from '../../../core/errors.ts';
import { type JudgeContext, type Judgement, judge, judgeOwn } from '../judgement.ts';

const TIMEOUTS = new Set(['KafkaJSRequestTimeoutError', 'KafkaJSTimeout', 'KafkaJSLockTimeout']);

/** Errors of kafkajs itself that say what Kafka has a name for. */
const TYPES: Readonly<Record<string, string>> = {
  KafkaJSSASLAuthenticationError: 'SASL_AUTHENTICATION_FAILED',
  KafkaJSServerDoesNotSupportApiKey: 'UNSUPPORTED_VERSION',
};

/** What an error of kafkajs means. Its own `retriable` cannot be trusted. */
export function judgeKafkajs(thrown: unknown, context: JudgeContext): Judgement {
  const root = rootOf(thrown);
  if (root instanceof SluiceError) return judgeOwn(root);
  const name = textProperty(root, 'name');
  // Of the broker's answer; empty when it is not about one.
  const type = textProperty(root, 'type');
  const fault = {
    type: type === '' ? (TYPES[name] ?? '') : type,
    code: codeOf(root),
    message: messageOf(root),
    isAnswer: type !== '',
    isTimeout: TIMEOUTS.has(name),
    isClosed: name === 'KafkaJSConnectionClosedError',
  };
  return judge(fault, context, thrown);
}

/** kafkajs wraps errors in others that say less. */
function rootOf(thrown: unknown): unknown {
  let error = thrown;
  for (let inner = innerOf(error); inner !== undefined; inner = innerOf(error)) error = inner;
  return error;
}

function innerOf(error: unknown): Error | undefined {
  if (!(error instanceof Error) || error instanceof SluiceError || textProperty(error, 'type') !== '') return undefined;
  const inner = 'errors' in error && Array.isArray(error.errors) ? (error.errors as unknown[])[0] : error.cause;
  return inner instanceof Error && inner !== error ? inner : undefined;
}

function textProperty(error: unknown, property: 'type' | 'name'): string {
  if (typeof error !== 'object' || error === null || !(property in error)) return '';
  const value = (error as Record<string, unknown>)[property];
  return typeof value === 'string' ? value : '';
}
