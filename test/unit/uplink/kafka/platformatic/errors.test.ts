import {
  AuthenticationError,
  MultipleErrors,
  NetworkError,
  ProtocolError,
  ResponseError,
  TimeoutError,
  UnsupportedApiError,
} from '@platformatic/kafka';
import { describe, expect, it } from 'vitest';
import { SluiceError } from '../../../../../src/core/errors.ts';
import {
  judgePlatformatic as judge,
  saysOnly,
  unknownTopic,
} from '../../../../../src/uplink/kafka/platformatic/errors.ts';

const CONTEXT = { topic: 'plant.telemetry', brokers: ['kafka:9092'] };
const PRODUCE = 0;
const UNKNOWN_SERVER_ERROR = -1;
const TOPIC_ALREADY_EXISTS = 36;
const POLICY_VIOLATION = 44;
const INVALID_RECORD = 87;

/** As the library throws what brokers answered: by place in the answer, error code and text. */
function answer(errors: Record<string, [code: number, text: string | null]>): Error {
  return new MultipleErrors('Producing messages failed.', [new ResponseError(PRODUCE, 11, errors, {})]);
}

describe('an error of @platformatic/kafka', () => {
  it.each([
    ['MESSAGE_TOO_LARGE', { kind: 'too_large' }],
    ['RECORD_LIST_TOO_LARGE', { kind: 'too_large' }],
    ['INVALID_RECORD', { kind: 'poison', isCertain: true }],
    ['CORRUPT_MESSAGE', { kind: 'poison', isCertain: false }],
    ['INVALID_TIMESTAMP', { kind: 'timestamp' }],
    ['TOPIC_AUTHORIZATION_FAILED', { kind: 'topic' }],
    ['CLUSTER_AUTHORIZATION_FAILED', { kind: 'failure', connection: 'kept', error: { retryable: false } }],
    ['NOT_ENOUGH_REPLICAS', { kind: 'failure', connection: 'kept', error: { retryable: true } }],
    ['NOT_LEADER_OR_FOLLOWER', { kind: 'failure', connection: 'kept', error: { retryable: true } }],
    ['UNKNOWN_SERVER_ERROR', { kind: 'failure', connection: 'kept', error: { retryable: true } }],
  ])('%s means what it means in Kafka', (type, expected) => {
    expect(judge(new MultipleErrors('Producing failed.', [new ProtocolError(type)]), CONTEXT)).toMatchObject(expected);
  });

  it('about a single record gives the code of its batch and the text of the record', () => {
    const thrown = answer({
      '/responses/0/partition_responses/0/record_errors/0': [UNKNOWN_SERVER_ERROR, 'Compacted topic needs a key'],
      '/responses/0/partition_responses/0': [INVALID_RECORD, null],
    });
    expect(judge(thrown, CONTEXT)).toMatchObject({ kind: 'poison', detail: 'Compacted topic needs a key' });
  });

  it('about a missing topic is for people to mend, though its code is dropped', () => {
    expect(judge(unknownTopic('plant.telemetry'), CONTEXT)).toMatchObject({
      kind: 'topic',
      error: { code: 'unknown_topic_or_partition', retryable: false, hint: expect.stringContaining('plant.telemetry') },
    });
  });

  it('of a refused connection is retryable and names the cause', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9092'), { code: 'ECONNREFUSED' });
    const failed = new NetworkError('Connection to 127.0.0.1:9092 failed.', { cause: refused });
    const judgement = judge(new MultipleErrors('Cannot connect to any broker.', [failed]), CONTEXT);
    expect(judgement).toMatchObject({ connection: 'lost', error: { code: 'kafka_unreachable', retryable: true } });
    expect(judgement.kind === 'failure' && judgement.error.message).toContain('ECONNREFUSED');
    expect(judgement.kind === 'failure' && judgement.error.hint).toContain('kafka:9092');
  });

  it('of a closed connection is about what closed it, when that is known', () => {
    const thrown = new MultipleErrors('Producing messages failed.', [new NetworkError('Connection closed')]);
    const alert = Object.assign(new Error('alert'), { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' });
    const ended = new NetworkError('Connection error', { cause: alert });
    expect(judge(thrown, CONTEXT)).toMatchObject({ error: { code: 'kafka_unreachable', retryable: true } });
    expect(judge(thrown, CONTEXT, ended)).toMatchObject({ error: { code: 'tls_client_certificate' } });
  });

  it('of a login during which the connection was lost blames no password', () => {
    const login = new AuthenticationError('SASL authentication failed.', {
      cause: new NetworkError('Connection closed'),
    });
    const failed = new NetworkError('Connection to 127.0.0.1:9092 failed.', { cause: login });
    expect(judge(failed, CONTEXT)).toMatchObject({ error: { code: 'kafka_unreachable', retryable: true } });
  });

  it('that a file of ours made keeps what we said', () => {
    const own = new SluiceError('sasl.passwordFile does not exist', { code: 'file_unusable' });
    const thrown = new AuthenticationError('The password provider threw an error.', { cause: own });
    expect(judge(thrown, CONTEXT)).toMatchObject({ error: own });
  });

  it('of an answer that did not come means a dead connection', () => {
    const thrown = new MultipleErrors('Producing messages failed.', [new TimeoutError('Request timed out')]);
    expect(judge(thrown, CONTEXT)).toMatchObject({ connection: 'dead', error: { code: 'upstream_timeout' } });
  });

  it('of a connection that did not come about says that Kafka cannot be reached', () => {
    const thrown = new TimeoutError('Connection to 127.0.0.1:9092 timed out.');
    expect(judge(thrown, CONTEXT)).toMatchObject({ connection: 'lost', error: { code: 'kafka_unreachable' } });
  });

  it.each([
    new AuthenticationError('SASL authentication failed.'),
    new AuthenticationError('SASL authentication failed.', { cause: new ProtocolError('SASL_AUTHENTICATION_FAILED') }),
  ])('of a wrong password blocks, whoever found out', (thrown) => {
    const failed = new NetworkError('Connection to 127.0.0.1:9092 failed.', { cause: thrown });
    expect(judge(failed, CONTEXT)).toMatchObject({ error: { code: 'sasl_authentication_failed', retryable: false } });
  });

  it('of a broker that is too old blocks', () => {
    const thrown = new UnsupportedApiError('Unsupported API Produce.');
    expect(judge(thrown, CONTEXT)).toMatchObject({ error: { code: 'unsupported_version', retryable: false } });
  });

  it('that nobody knows is tried again on a new connection', () => {
    expect(judge(new TypeError('undefined is not a function'), CONTEXT)).toMatchObject({
      connection: 'lost',
      error: { retryable: true },
    });
    expect(judge('just text', CONTEXT)).toMatchObject({ error: { retryable: true } });
  });

  it('of our own keeps what it says', () => {
    const own = new SluiceError('the request did not end', { code: 'upstream_timeout', retryable: true });
    expect(judge(own, CONTEXT)).toEqual({ kind: 'failure', error: own, connection: 'dead' });
  });
});

describe('an answer about several topics', () => {
  const exists: [number, null] = [TOPIC_ALREADY_EXISTS, null];

  it('says only one thing when every error is that one', () => {
    expect(saysOnly(answer({ '/topics/0': exists, '/topics/1': exists }), 'TOPIC_ALREADY_EXISTS')).toBe(true);
  });

  it('does not when one is another, or when nobody answered', () => {
    const mixed = answer({ '/topics/0': exists, '/topics/1': [POLICY_VIOLATION, null] });
    expect(saysOnly(mixed, 'TOPIC_ALREADY_EXISTS')).toBe(false);
    expect(saysOnly(new NetworkError('Connection closed'), 'TOPIC_ALREADY_EXISTS')).toBe(false);
  });
});
