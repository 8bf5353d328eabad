import { AuthenticationError, ProtocolError, TimeoutError, UnsupportedApiError, UserError } from '@platformatic/kafka';
import { codeOf, messageOf, SluiceError } from '../../../core/errors.ts';
import { type Fault, type JudgeContext, type Judgement, judge, judgeOwn } from '../judgement.ts';

/** How the library says that a request, and not a connection, took too long. */
const REQUEST_TIMED_OUT = 'Request timed out';
/** How it says that a topic does not exist, whose error code it drops. */
const UNKNOWN_TOPIC = /^Unknown topic /;
/** How it says that a connection ended, to all that waited for it. */
const CLOSED = /^Connection closed/;
/** What came over a sound connection. */
const ANSWER = { code: undefined, isAnswer: true, isTimeout: false, isClosed: false };

/** What an error of @platformatic/kafka means. `connectionError`: the last that a connection of the client had. */
export function judgePlatformatic(thrown: unknown, context: JudgeContext, connectionError?: Error): Judgement {
  const isClosed = CLOSED.test(rootIn(tree(thrown))?.message ?? '');
  const all = tree(isClosed ? (connectionError ?? thrown) : thrown);
  const own = all.find((error) => error instanceof SluiceError);
  return own === undefined ? judge(faultOf(all), context, thrown) : judgeOwn(own);
}

/** What the library throws for a topic that does not exist. */
export function unknownTopic(topic: string): UserError {
  return new UserError(`Unknown topic ${topic}.`);
}

/** Whether the broker answered, and with nothing but this error. */
export function saysOnly(thrown: unknown, type: string): boolean {
  const answers = answersIn(tree(thrown));
  return answers.length > 0 && answers.every((answer) => typeOf(answer) === type);
}

function faultOf(all: readonly unknown[]): Fault {
  const answers = answersIn(all);
  // What is said about a single record has a text, and UNKNOWN_SERVER_ERROR in place of a code.
  const answer = answers.find((error) => typeOf(error) !== 'UNKNOWN_SERVER_ERROR') ?? answers[0];
  if (answer !== undefined) return { ...ANSWER, type: typeOf(answer), message: textOf(answer, answers) };
  // Around it the library says less, and that a password is wrong when the connection was lost.
  const root = rootIn(all) ?? all[0];
  const message = messageOf(root);
  if (root instanceof UserError && UNKNOWN_TOPIC.test(message)) {
    return { ...ANSWER, type: 'UNKNOWN_TOPIC_OR_PARTITION', message };
  }
  const isTimeout = root instanceof TimeoutError && message === REQUEST_TIMED_OUT;
  const isClosed = CLOSED.test(message);
  return { type: ownType(root), code: codeOf(root), message, isAnswer: false, isTimeout, isClosed };
}

/** Errors of the library itself that say what Kafka has a name for. */
function ownType(error: unknown): string {
  if (error instanceof AuthenticationError) return 'SASL_AUTHENTICATION_FAILED';
  return error instanceof UnsupportedApiError ? 'UNSUPPORTED_VERSION' : '';
}

function typeOf(answer: ProtocolError): string {
  return String(answer['apiId']);
}

/** The broker's own words if it had any, be it about a record of the batch. */
function textOf(answer: ProtocolError, all: readonly ProtocolError[]): string {
  const words = [answer, ...all].map((error): unknown => error['serverErrorMessage']);
  return words.find((text): text is string => typeof text === 'string' && text !== '') ?? answer.message;
}

function answersIn(errors: readonly unknown[]): ProtocolError[] {
  return errors.filter((error) => error instanceof ProtocolError);
}

/** The first that has no cause. */
function rootIn(errors: readonly unknown[]): Error | undefined {
  return errors.find((error): error is Error => error instanceof Error && causesOf(error).length === 0);
}

/** The error and all that it was made of, outermost first. */
function tree(error: unknown): unknown[] {
  return [error, ...causesOf(error).flatMap(tree)];
}

function causesOf(error: unknown): unknown[] {
  if (!(error instanceof Error)) return [];
  const several = 'errors' in error && Array.isArray(error.errors) ? (error.errors as unknown[]) : [];
  return error.cause === undefined ? several : [...several, error.cause];
}
