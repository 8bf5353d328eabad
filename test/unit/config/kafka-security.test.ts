import { describe, expect, it } from 'vitest';
import { configOf, problemsOf } from '../../support/config-text.ts';

const kafka = (options: string, broker = 'kafka:9093') => `uplinks:\n  - { brokers: [ "${broker}" ], ${options} }`;

describe('tls and sasl of a Kafka uplink', () => {
  it.each([
    ['tls: false', { tls: false }],
    ['tls: true', { tls: true }],
    ['tls: {}', { tls: {} }],
    [
      'tls: { caFile: ca.pem, certFile: ../own.pem, keyFile: /keys/own.pem, serverName: kafka.example.net }',
      {
        tls: {
          caFile: '/etc/sluice/ca.pem',
          certFile: '/etc/own.pem',
          keyFile: '/keys/own.pem',
          serverName: 'kafka.example.net',
        },
      },
    ],
    ['sasl: false', { sasl: false }],
    [
      'sasl: { mechanism: scram-sha-512, username: pi, passwordFile: kafka-password }',
      { sasl: { mechanism: 'scram-sha-512', username: 'pi', passwordFile: '/etc/sluice/kafka-password' } },
    ],
    [
      'sasl: { mechanism: oauthbearer, tokenFile: token }',
      { sasl: { mechanism: 'oauthbearer', tokenFile: '/etc/sluice/token' } },
    ],
  ])('%s, with files counted from the configuration', (options, expected) => {
    expect(configOf(kafka(options)).config.uplinks[0]).toMatchObject(expected);
  });

  it('takes a password, and the directory of systemd credentials, from the environment', () => {
    const env = { PASSWORD: 'a $ecret', CREDENTIALS_DIRECTORY: '/run/credentials/sluice.service' };
    const inline = `sasl: { mechanism: plain, username: pi, password: "\${PASSWORD}" }, tls: true`;
    expect(configOf(kafka(inline), env).config.uplinks[0]).toMatchObject({ sasl: { password: 'a $ecret' } });
    const file = `sasl: { mechanism: plain, username: pi, passwordFile: "\${CREDENTIALS_DIRECTORY}/kafka" }`;
    expect(configOf(kafka(file), env).config.uplinks[0]).toMatchObject({
      sasl: { passwordFile: '/run/credentials/sluice.service/kafka' },
    });
  });

  it.each([
    ['tls: yes', ['tls: must be true, false or a mapping of caFile, certFile, keyFile, serverName, found yes']],
    ['tls: { certFile: a.pem }', ['tls.certFile: is of use only together with keyFile']],
    ['tls: { keyFile: a.pem }', ['tls.keyFile: is of use only together with certFile']],
    ['tls: { cafile: a.pem }', ['tls.cafile: unknown option, probably caFile']],
    ['sasl: true', ['sasl: must be false or a mapping of mechanism, username and passwordFile, found true']],
    ['sasl: { mechanism: scram-sha-512 }', ['sasl.username: is required by', 'sasl.passwordFile: is required by']],
    ['sasl: { mechanism: scram, username: a, passwordFile: b }', ['sasl.mechanism: must be plain or scram-sha-256']],
    ['sasl: { mechanism: oauthbearer }', ['sasl.tokenFile: is required by oauthbearer']],
    ['sasl: { mechanism: oauthbearer, tokenFile: a, username: b }', ['sasl.username: is not used by oauthbearer']],
    [
      'sasl: { mechanism: plain, username: a, password: b, passwordFile: c }',
      ['sasl.password: stands beside passwordFile: keep one'],
    ],
  ])('%s is explained', (options, expected) => {
    expect(problemsOf(kafka(options))).toEqual(expected.map((message) => expect.stringContaining(message)));
  });

  it.each(['4711', '[ 4711 ]', 'true'])('never prints a password such as %s, whatever is wrong with it', (password) => {
    const problems = problemsOf(kafka(`sasl: { mechanism: plain, username: a, password: ${password} }`));
    expect(problems).toEqual([expect.stringMatching(/sasl\.password: is not text: put it in quotes$/)]);
  });

  it.each([
    ['plain', 'kafka:9093', 'false', 1],
    ['oauthbearer', 'kafka:9093', 'false', 1],
    ['plain', 'kafka:9093', 'true', 0],
    ['plain', '[::1]:9093', 'false', 0],
    ['scram-sha-256', 'kafka:9093', 'false', 0],
  ])('warns of a secret that others can read: %s to %s with tls: %s', (mechanism, broker, tls, count) => {
    const secret = mechanism === 'oauthbearer' ? 'tokenFile: t' : 'username: u, passwordFile: p';
    const { warnings } = configOf(kafka(`tls: ${tls}, sasl: { mechanism: ${mechanism}, ${secret} }`, broker));
    expect(warnings.map(({ message }) => message)).toEqual(
      Array.from({ length: count }, () => expect.stringContaining('can read the secret')),
    );
  });
});
