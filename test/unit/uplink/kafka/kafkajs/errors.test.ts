import { KafkaJSConnectionError, KafkaJSNumberOfRetriesExceeded, KafkaJSRequestTimeoutError } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { SluiceError } from '../../../../../src/core/errors.ts';
import { judgeKafkajs as judge } from '../../../../../src/uplink/kafka/kafkajs/errors.ts';

const CONTEXT = { topic: 'plant.telemetry', brokers: ['kafka:9092'] };

/** As kafkajs throws it: the broker's answer, with or without its wrapping. */
function answer(type: string, retriable = false): Error {
  return Object.assign(new Error(`broker says ${type}`), { name: 'KafkaJSProtocolError', type, retriable });
}

function wrapped(cause: Error, name = 'KafkaJSNumberOfRetriesExceeded'): Error {
  return Object.assign(new Error(cause.message, { cause }), { name, retriable: false });
}

describe('an error of kafkajs', () => {
  it.each(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])('%s is about size', (type) => {
    expect(judge(answer(type), CONTEXT)).toMatchObject({ kind: 'too_large' });
  });

  it.each([
    ['INVALID_RECORD', true],
    ['CORRUPT_MESSAGE', false],
  ])('%s is about a record', (type, isCertain) => {
    expect(judge(answer(type), CONTEXT)).toMatchObject({ kind: 'poison', reason: type.toLowerCase(), isCertain });
  });

  it('INVALID_TIMESTAMP is about the time, never about the record', () => {
    expect(judge(answer('INVALID_TIMESTAMP'), CONTEXT)).toEqual({ kind: 'timestamp' });
  });

  it.each(['UNKNOWN_TOPIC_OR_PARTITION', 'TOPIC_AUTHORIZATION_FAILED', 'INVALID_TOPIC_EXCEPTION'])(
    '%s is for people to mend at the topic',
    (type) => {
      const judgement = judge(answer(type, true), CONTEXT);
      expect(judgement).toMatchObject({ kind: 'topic', error: { code: type.toLowerCase(), retryable: false } });
      expect(judgement.kind === 'topic' && judgement.error.hint).toContain('plant.telemetry'.slice(0, 5));
    },
  );

  it.each([
    'CLUSTER_AUTHORIZATION_FAILED',
    'UNSUPPORTED_COMPRESSION_TYPE',
    'POLICY_VIOLATION',
    'INVALID_REPLICATION_FACTOR',
  ])('%s is for people to mend, says how, and keeps the connection', (type) => {
    const judgement = judge(answer(type), CONTEXT);
    expect(judgement).toMatchObject({ kind: 'failure', connection: 'kept', error: { retryable: false } });
    expect(judgement.kind === 'failure' && judgement.error.hint).toBeTruthy();
  });

  it.each(['SASL_AUTHENTICATION_FAILED', 'UNSUPPORTED_SASL_MECHANISM', 'ILLEGAL_SASL_STATE'])(
    '%s is for people to mend, and needs a new login',
    (type) => {
      expect(judge(answer(type), CONTEXT)).toMatchObject({
        kind: 'failure',
        connection: 'lost',
        error: { retryable: false, hint: expect.any(String) },
      });
    },
  );

  it('of a topic that was to be made says which grant is missing', () => {
    const judgement = judge(answer('TOPIC_AUTHORIZATION_FAILED'), { ...CONTEXT, isCreating: true });
    expect(judgement).toMatchObject({
      error: { hint: expect.stringContaining('let this user Create plant.telemetry') },
    });
  });

  it('of a connection that the broker ended points at tls and sasl', () => {
    const closed = wrapped(Object.assign(new Error('Closed connection'), { name: 'KafkaJSConnectionClosedError' }));
    const reset = new KafkaJSConnectionError('read ECONNRESET', { code: 'ECONNRESET' });
    for (const thrown of [closed, reset]) {
      expect(judge(thrown, CONTEXT)).toMatchObject({
        connection: 'lost',
        error: { retryable: true, hint: expect.stringContaining('compare tls and sasl') },
      });
    }
  });

  it.each(['NOT_ENOUGH_REPLICAS', 'LEADER_NOT_AVAILABLE', 'REQUEST_TIMED_OUT', 'KAFKAJS_UNKNOWN_ERROR_CODE'])(
    '%s passes by itself on the same connection, whatever kafkajs thinks of it',
    (type) => {
      expect(judge(answer(type), CONTEXT)).toMatchObject({
        kind: 'failure',
        connection: 'kept',
        error: { retryable: true },
      });
    },
  );

  it('is seen through its wrapping', () => {
    expect(judge(wrapped(wrapped(answer('MESSAGE_TOO_LARGE'))), CONTEXT)).toMatchObject({ kind: 'too_large' });
    const several = Object.assign(new Error('several'), { errors: [answer('POLICY_VIOLATION')] });
    expect(judge(several, CONTEXT)).toMatchObject({ error: { code: 'policy_violation' } });
  });

  it('of a refused connection is retryable, though kafkajs says it is not', () => {
    const refused = new KafkaJSConnectionError('connect ECONNREFUSED 127.0.0.1:9092');
    const thrown = new KafkaJSNumberOfRetriesExceeded(refused, { retryCount: 0, retryTime: 300 });
    expect(thrown.retriable).toBe(false);
    const judgement = judge(thrown, CONTEXT);
    expect(judgement).toMatchObject({ connection: 'lost', error: { code: 'kafka_unreachable', retryable: true } });
    expect(judgement.kind === 'failure' && judgement.error.message).toContain('ECONNREFUSED');
    expect(judgement.kind === 'failure' && judgement.error.hint).toContain('kafka:9092');
  });

  it('of an answer that did not come means a dead connection', () => {
    const thrown = new KafkaJSRequestTimeoutError('Request Produce timed out', {
      broker: 'kafka:9092',
      clientId: 'sluice',
      correlationId: 1,
      createdAt: 0,
      sentAt: 0,
      pendingDuration: 0,
    });
    expect(judge(thrown, CONTEXT)).toMatchObject({ connection: 'dead', error: { code: 'upstream_timeout' } });
  });

  it('of a wrong password blocks', () => {
    const thrown = Object.assign(new Error('SASL SCRAM failed'), { name: 'KafkaJSSASLAuthenticationError' });
    expect(judge(thrown, CONTEXT)).toMatchObject({ error: { retryable: false } });
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

  it('does not bring control characters into a log', () => {
    const judgement = judge(new Error('evil\u001b[31m\ntext'), CONTEXT);
    expect(judgement.kind === 'failure' && judgement.error.message).not.toMatch(/\p{Cc}/u);
  });
});

describe('a failure of TLS', () => {
  const failure = (code: string): Error =>
    new KafkaJSNumberOfRetriesExceeded(new KafkaJSConnectionError('Connection error: x', { code }), {
      retryCount: 0,
      retryTime: 1,
    });

  it.each([
    ['CERT_HAS_EXPIRED', 'tls_expired', 'clock'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'tls_unknown_authority', 'tls.caFile'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'tls_wrong_name', 'tls.serverName'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls_client_certificate', 'tls.certFile'],
    ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN', 'tls_client_certificate', 'tls.certFile'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tls_client_certificate', 'tls.certFile'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls_failed', 'port'],
  ])('%s is for people to mend, and says how', (code, expected, hint) => {
    expect(judge(failure(code), CONTEXT)).toMatchObject({
      kind: 'failure',
      connection: 'lost',
      error: { code: expected, retryable: false, hint: expect.stringContaining(hint) },
    });
  });

  it('is not what an unreachable broker is', () => {
    expect(judge(failure('ECONNREFUSED'), CONTEXT)).toMatchObject({ error: { code: 'kafka_unreachable' } });
  });
});
