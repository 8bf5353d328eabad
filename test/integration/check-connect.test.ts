import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../src/cli/cli.ts';
import { CertificateAuthority } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { PASSWORD, type SecureKafka, startSecureKafka, USER } from '../support/secure-kafka.ts';

interface Outcome {
  readonly code: number;
  readonly text: string;
}

describe('sluice check --connect', { timeout: 60_000 }, () => {
  let secure: SecureKafka;
  let directory: string;

  beforeAll(async () => {
    secure = await startSecureKafka();
    directory = mkdtempSync(join(tmpdir(), 'sluice-check-'));
  });
  afterAll(async () => {
    await secure.stop();
    rmSync(directory, { recursive: true });
  });

  async function run(text: string, ...args: readonly string[]): Promise<Outcome> {
    const file = join(directory, 'sluice.yaml');
    writeFileSync(file, text);
    let out = '';
    const io = { out: (said: string) => (out += said), err: (said: string) => (out += said), env: {} };
    const code = await runCli(['check', '--connect', '--config', file, ...args], {
      ...io,
      out: (said) => void io.out(said),
      err: (said) => void io.err(said),
    });
    return { code, text: out };
  }

  function uplink(options: string, broker = secure.brokers.sasl): string {
    return `gateway: { id: pi, dataDir: data }
uplinks:
  - name: plant
    brokers: [ "${broker}" ]
    tls: { caFile: ${secure.authority.caFile} }
    connectionTimeout: 2s
    requestTimeout: 5s
    ${options}`;
  }
  const login = (password = PASSWORD): string =>
    `sasl: { mechanism: scram-sha-512, username: ${USER}, password: "${password}" }`;

  async function topic(name: string, config: Record<string, string> = {}): Promise<void> {
    await secure.kafka.createTopic(name, { partitions: 3, config });
  }

  it('goes the whole way, says ok to each step, and writes nothing', async () => {
    await topic('good.pi.telemetry', { 'retention.ms': '-1' });
    const at = { topic: 'good.', prefixed: true };
    await secure.allow(
      ...(['Describe', 'Write', 'DescribeConfigs'] as const).map((operation) => ({ operation, ...at })),
    );
    const { code, text } = await run(
      uplink(`${login()}\n    streams: [ telemetry ]\n    topics: { telemetry: "good.{gateway}.{stream}" }`),
    );
    const lines = text.replaceAll(/ +/g, ' ');
    expect(lines).toContain(`ok tcp ${secure.brokers.sasl} takes connections`);
    expect(lines).toMatch(/ok tls \S+ TLSv1\.3, certificate of broker, valid until 20/);
    expect(lines).toMatch(/ok login \S+ scram-sha-512 as pi is let in; the cluster has 1 broker\n/);
    expect(lines).toContain('ok topic good.pi.telemetry has 3 partitions');
    expect(lines).toContain('ok write good.pi.telemetry is allowed');
    expect(lines).toContain('ok retention good.pi.telemetry records are kept for ever');
    expect(lines).toContain('ok size good.pi.telemetry takes 1048588 bytes at once');
    expect(lines).toContain('records can go out');
    expect(code).toBe(0);
    expect(await secure.kafka.countRecords('good.pi.telemetry')).toBe(0);
  });

  it('warns of short retention, small messages and compaction; a compacted topic for state is a fault', async () => {
    const strict = { 'retention.ms': '3600000', 'max.message.bytes': '100000', 'cleanup.policy': 'compact,delete' };
    await topic('odd.telemetry', { ...strict, 'cleanup.policy': 'delete' });
    await topic('odd.state', strict);
    const at = { topic: 'odd.', prefixed: true };
    await secure.allow(
      ...(['Describe', 'Write', 'DescribeConfigs'] as const).map((operation) => ({ operation, ...at })),
    );
    const topics = 'topics: { telemetry: odd.telemetry, state: odd.state }';
    const options = `${login()}\n    streams: [ telemetry, state ]\n    ${topics}`;
    const { code, text } = await run(uplink(options));
    expect(text).toMatch(
      /warning +retention +odd\.telemetry +records are kept for 60 minutes.*30 days \(buffer\.maxAge\)/,
    );
    expect(text).toMatch(/warning +size +odd\.telemetry +takes 100000 bytes at once; devices may send 262144/);
    expect(text).toMatch(/failed +compaction +odd\.state +the topic is compacted/);
    expect(text).toContain('→ set its cleanup.policy to delete');
    expect(text).toContain('1 fault to mend');
    expect(code).toBe(1);
    expect((await run(uplink(`${login()}\n    streams: [ telemetry ]\n    ${topics}`))).code).toBe(0);
  });

  it('tells which grant is missing', async () => {
    await topic('closed.telemetry');
    const options = (more = ''): string =>
      uplink(`${login()}\n    streams: [ telemetry ]\n    topics: { telemetry: closed.telemetry }${more}`);
    const unseen = await run(options());
    expect(unseen.text).toMatch(/failed +topic +closed\.telemetry .*\n.*→ let this user Describe and Write the topic/);
    expect(unseen.code).toBe(1);
    await secure.allow({ operation: 'Describe', topic: 'closed.telemetry' });
    const readOnly = await run(options());
    expect(readOnly.text).toMatch(
      /failed +write +closed\.telemetry +is not allowed\n.*→ let this user Write the topic/,
    );
    expect(readOnly.text).toMatch(/warning +retention .*not shown to this user\n.*DescribeConfigs/);
    expect(readOnly.code).toBe(1);
  });

  it('tells which grants exactly once needs, and disturbs no gateway', async () => {
    await topic('once.telemetry');
    const at = { topic: 'once.', prefixed: true };
    await secure.allow(
      ...(['Describe', 'Write', 'DescribeConfigs'] as const).map((operation) => ({ operation, ...at })),
    );
    const options = uplink(
      `${login()}\n    streams: [ telemetry ]\n    topics: { telemetry: once.telemetry }\n    delivery: exactly_once`,
    );
    const name = 'sluice.pi.plant.telemetry';
    const noId = await run(options);
    expect(noId.text).toMatch(
      /failed +transaction +sluice\.pi\.plant\.telemetry .*\n.*→ let this user Describe and Write the transactional id sluice\.pi\.plant\.telemetry/,
    );
    expect(noId.text).toMatch(/failed +read +once\.telemetry +is not allowed\n.*→ let this user Read the topic/);
    expect(noId.code).toBe(1);
    await secure.allow({ operation: 'Write', of: { type: 'transactional id', name } });
    const noGroup = await run(options);
    expect(noGroup.text).toMatch(/failed +transaction .*\n.*→ let this user Describe and Read the group/);
    await secure.allow({ operation: 'Read', of: { type: 'group', name } }, { operation: 'Read', ...at });
    const all = await run(options);
    expect(all.text).toMatch(/ok +transaction +sluice\.pi\.plant\.telemetry +is allowed/);
    expect(all.text).toMatch(/ok +read +once\.telemetry +is allowed/);
    expect(all.code).toBe(0);
  });

  it('tells whether a missing topic may be made, and makes none', async () => {
    const at = { topic: 'new.telemetry' };
    await secure.allow({ operation: 'Describe', ...at });
    const options = (createTopics: boolean): string =>
      uplink(
        `${login()}\n    streams: [ telemetry ]\n    topics: { telemetry: new.telemetry }\n    createTopics: ${createTopics}`,
      );
    expect((await run(options(false))).text).toMatch(/failed +topic +new\.telemetry .*\n.*→ create the topic/);
    const forbidden = await run(options(true));
    expect(forbidden.text).toMatch(/failed +topic +new\.telemetry .*\n.*→ let this user Create new\.telemetry/);
    await secure.allow({ operation: 'Create', ...at });
    const allowed = await run(options(true));
    expect(allowed.text).toMatch(/ok +topic +new\.telemetry +does not exist; the gateway may make it/);
    expect(allowed.code).toBe(0);
    expect(await secure.kafka.admin((admin) => admin.listTopics())).not.toContain('new.telemetry');
  });

  it.each([
    ['a name that nobody knows', () => uplink('', 'kafka.invalid:9092'), /failed +dns .*\n.*→ check the name/],
    [
      'a port where nothing listens',
      async () => uplink('', `127.0.0.1:${await freePort()}`),
      /failed +tcp .*\n.*→ nothing/,
    ],
    ['a port that does not speak TLS', () => uplink('', secure.kafka.bootstrap), /failed +tls .*\n.*→ .*speaks TLS/],
    [
      'a wrong password',
      () => uplink(login('wrong-password')),
      /failed +login .*does not let this user in.*\n.*→ mend user/,
    ],
    ['a missing login', () => uplink(''), /failed +login .*\n.*→ .*compare tls and sasl/],
    [
      'a missing client certificate',
      () => uplink('', secure.brokers.mutual),
      /failed +login .*this gateway's certificate.*\n.*→ set tls\.certFile/,
    ],
    [
      'a missing password file',
      () => uplink(`sasl: { mechanism: plain, username: ${USER}, passwordFile: none }`),
      /failed +files .*sasl\.passwordFile .* does not exist/,
    ],
  ])('says at which step %s stops it, and what to do', async (_, config, words) => {
    const { code, text } = await run(await config());
    expect(text).toMatch(words);
    expect(text).not.toContain('wrong-password');
    expect(code).toBe(1);
  });

  it('sees a certificate of an unknown authority', async () => {
    const foreign = new CertificateAuthority('another authority');
    const config = uplink(login()).replace(secure.authority.caFile, foreign.caFile);
    const { code, text } = await run(config);
    expect(text).toMatch(/failed +tls .*not trusted here.*\n.*→ set tls\.caFile/);
    expect(code).toBe(1);
    foreign.remove();
  });

  it('looks at the directories of file uplinks', async () => {
    const config = (path: string): string => `uplinks: [ { type: file, directory: ${path} } ]`;
    const good = await run(config(join(directory, 'new')));
    expect(good.text).toMatch(/ok +directory .* will be made\n +ok +space .* MiB are free/);
    expect(good.code).toBe(0);
    const inData = await run('gateway: { dataDir: not/yet/there }\nuplinks: [ { type: file } ]');
    expect(inData.text).toMatch(/ok +directory .*there\/uplink-file +will be made/);
    expect(inData.code).toBe(0);
    const bad = await run(config('/nowhere/below/this'));
    expect(bad.text).toMatch(/failed +directory .*neither it nor \/nowhere\/below exists\n.*→ make the directory/);
    expect(bad.code).toBe(1);
  });

  it('says all of it as JSON too', async () => {
    const { code, text } = await run(uplink('', 'kafka.invalid:9092'), '--json');
    expect(JSON.parse(text)).toMatchObject({
      valid: true,
      connections: {
        ok: false,
        uplinks: [
          {
            name: 'plant',
            type: 'kafka',
            ok: false,
            steps: [{ step: 'dns', result: 'failed', hint: expect.any(String) }],
          },
        ],
      },
    });
    expect(code).toBe(1);
  });

  it('tries nothing out when the configuration is wrong', async () => {
    expect((await run('uplinks: [ { type: kafka } ]')).code).toBe(78);
  });
});
