import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaUplinkOptions, SaslOptions } from '../../src/uplink/options.ts';
import { CertificateAuthority, type IssuedCertificate } from '../support/certificates.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import {
  type Grant,
  PASSWORD,
  type SecureKafka,
  startSecureKafka,
  USER,
  unsecuredToken,
} from '../support/secure-kafka.ts';
import { KAFKA_CLIENTS, kafkaOptions, topicsUnder } from '../support/uplink-options.ts';
import { waitFor } from '../support/wait-for.ts';

const COUNT = 20;
const MUTUAL_USER = 'CN=pi';

/** A Kafka that lets in only who shows what it asks for: what people see when that is wrong, and what becomes of the records. */
describe.each(KAFKA_CLIENTS)('a Kafka that asks %s who is there', { timeout: 60_000 }, (client) => {
  let secure: SecureKafka;
  let foreign: CertificateAuthority;
  let own: IssuedCertificate;
  let directory: string;
  let uplink: RunningUplink | undefined;
  let topicCount = 0;
  let prefix: string;

  beforeAll(async () => {
    secure = await startSecureKafka();
    foreign = new CertificateAuthority('another authority');
    own = secure.authority.issue({ name: 'pi' });
    directory = mkdtempSync(join(tmpdir(), 'sluice-secrets-'));
  });
  afterAll(async () => {
    await secure.stop();
    foreign.remove();
    rmSync(directory, { recursive: true });
  });
  afterEach(async () => {
    await uplink?.stop();
    uplink = undefined;
  });

  const trusted = (): { caFile: string } => ({ caFile: secure.authority.caFile });
  const file = (name: string, content: string): string => {
    const path = join(directory, name);
    writeFileSync(path, content);
    return path;
  };
  const scram = (): SaslOptions => ({ mechanism: 'scram-sha-512', username: USER, password: PASSWORD });
  const overSasl = (sasl: false | SaslOptions = scram()) => ({
    brokers: [secure.brokers.sasl],
    tls: trusted(),
    sasl,
  });

  /** An uplink with a topic of its own, and with `COUNT` records to send. */
  async function run(options: Partial<KafkaUplinkOptions>, log = uplink?.log): Promise<RunningUplink> {
    const topics = topicsUnder(prefix);
    const running = await runUplink(kafkaOptions({ client, topics, streams: ['telemetry'], ...options }), log);
    uplink = running;
    return running;
  }

  async function newTopic(...grants: readonly Omit<Grant, 'topic'>[]): Promise<void> {
    topicCount += 1;
    prefix = `secure-${topicCount}`;
    await secure.kafka.createTopic(`${prefix}.telemetry`);
    const all = grants.map((grant) => ({ ...grant, topic: `${prefix}.`, prefixed: true }));
    if (all.length > 0) await secure.allow(...all);
  }

  const newOpenTopic = (user = USER): Promise<void> =>
    newTopic({ operation: 'Describe', user }, { operation: 'Write', user });

  async function expectDelivered(running: RunningUplink): Promise<void> {
    await running.drained();
    await running.reaches('up');
    expect(running.counts()).toMatchObject({ deliveredCount: COUNT, rejectedCount: 0, droppedCount: 0 });
    expect(await secure.kafka.countRecords(`${prefix}.telemetry`)).toBe(COUNT);
    for (const secret of [PASSWORD, 'wrong-password', 'eyJ']) {
      expect(JSON.stringify(running.logger.lines)).not.toContain(secret);
    }
  }

  /** It is blocked with these words, keeps everything, and goes on by itself when `mend` has done its work. */
  async function expectBlockedUntil(
    mend: () => Promise<void> | void,
    options: Partial<KafkaUplinkOptions>,
    words: { readonly code: string; readonly reason: RegExp },
  ): Promise<void> {
    const running = await run(options);
    running.append(COUNT);
    await running.reaches('blocked');
    expect(running.status()).toMatchObject({ code: words.code, reason: expect.stringMatching(words.reason) });
    expect(running.counts()).toMatchObject({ deliveredCount: 0, pendingCount: COUNT });
    await mend();
    await expectDelivered(running);
  }

  describe('by a login', () => {
    it.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)('takes records over %s', async (mechanism) => {
      await newOpenTopic();
      const passwordFile = file('password', `${PASSWORD}\n`);
      const running = await run(overSasl({ mechanism, username: USER, passwordFile }));
      running.append(COUNT);
      await expectDelivered(running);
    });

    it('takes records over oauthbearer', async () => {
      await newOpenTopic();
      const tokenFile = file('token', unsecuredToken({ expiresInS: 600 }));
      const running = await run(overSasl({ mechanism: 'oauthbearer', tokenFile }));
      running.append(COUNT);
      await expectDelivered(running);
    });

    it('blocks on a wrong password until the file holds the right one', async () => {
      await newOpenTopic();
      const passwordFile = file('password', 'wrong-password');
      await expectBlockedUntil(
        () => void file('password', PASSWORD),
        overSasl({ mechanism: 'scram-sha-512', username: USER, passwordFile }),
        {
          code: 'sasl_authentication_failed',
          reason: /does not let this user in.*mend user name and password/,
        },
      );
    });

    it('blocks while the file of the password is missing', async () => {
      await newOpenTopic();
      const passwordFile = join(directory, 'missing');
      await expectBlockedUntil(
        () => void file('missing', PASSWORD),
        overSasl({ mechanism: 'plain', username: USER, passwordFile }),
        { code: 'file_unusable', reason: /sasl\.passwordFile \(.*missing\) does not exist: mend that file/ },
      );
    });

    it('blocks on an expired token until the file holds a fresh one', async () => {
      await newOpenTopic();
      const tokenFile = file('token', unsecuredToken({ expiresInS: -60 }));
      await expectBlockedUntil(
        () => void file('token', unsecuredToken({ expiresInS: 600 })),
        overSasl({ mechanism: 'oauthbearer', tokenFile }),
        { code: 'sasl_authentication_failed', reason: /does not let this user in.*invalid_token.*the token/ },
      );
    });

    it('says so when there is none, or none of that kind', async () => {
      await newOpenTopic();
      const running = await run({ ...overSasl(false), requestTimeout: 2_000 });
      running.append(COUNT);
      await running.reaches('down');
      expect(running.status()?.reason).toMatch(/compare tls and sasl/);
      expect(running.counts()).toMatchObject({ pendingCount: COUNT });
    });
  });

  describe('by certificates', () => {
    it('takes records of who shows its own', async () => {
      await newOpenTopic(MUTUAL_USER);
      const running = await run({ brokers: [secure.brokers.mutual], tls: { ...trusted(), ...own } });
      running.append(COUNT);
      await expectDelivered(running);
    });

    it('blocks on an expired one until the broker has a new one', async () => {
      await newOpenTopic('ANONYMOUS');
      await secure.present('tls', { name: 'broker', expired: true });
      await expectBlockedUntil(
        () => secure.present('tls', { name: 'broker' }),
        { brokers: [secure.brokers.tls], tls: trusted() },
        { code: 'tls_expired', reason: /certificate has expired.*clock of this gateway/ },
      );
    });

    it('blocks on one for another name until the broker has the right one', async () => {
      await newOpenTopic('ANONYMOUS');
      await secure.present('tls', { name: 'broker', altNames: ['DNS:kafka.example.net'] });
      await expectBlockedUntil(
        () => secure.present('tls', { name: 'broker' }),
        { brokers: [secure.brokers.tls], tls: trusted() },
        { code: 'tls_wrong_name', reason: /for another name.*127\.0\.0\.1.*tls\.serverName/ },
      );
    });

    it('takes another name when it is told that', async () => {
      await newOpenTopic('ANONYMOUS');
      await secure.present('tls', { name: 'broker', altNames: ['DNS:kafka.example.net'] });
      const tls = { ...trusted(), serverName: 'kafka.example.net' };
      const running = await run({ brokers: [secure.brokers.tls], tls });
      running.append(COUNT);
      await expectDelivered(running);
      await secure.present('tls', { name: 'broker' });
    });

    it('blocks on an unknown authority until that is known', async () => {
      await newOpenTopic('ANONYMOUS');
      const caFile = join(directory, 'ca.pem');
      copyFileSync(foreign.caFile, caFile);
      await expectBlockedUntil(
        () => copyFileSync(secure.authority.caFile, caFile),
        { brokers: [secure.brokers.tls], tls: { caFile } },
        { code: 'tls_unknown_authority', reason: /authority that is not trusted here.*tls\.caFile/ },
      );
    });

    it.each([
      ['of a foreign authority', () => foreign.issue({ name: 'pi' })],
      ['that has expired', () => secure.authority.issue({ name: 'pi', expired: true })],
    ])('blocks when our own is one %s, until the files hold a good one', async (_, issue) => {
      await newOpenTopic(MUTUAL_USER);
      const shown = { certFile: join(directory, 'own.pem'), keyFile: join(directory, 'own-key.pem') };
      const show = ({ certFile, keyFile }: IssuedCertificate): void => {
        copyFileSync(certFile, shown.certFile);
        copyFileSync(keyFile, shown.keyFile);
      };
      show(issue());
      await expectBlockedUntil(
        () => show(own),
        { brokers: [secure.brokers.mutual], tls: { ...trusted(), ...shown } },
        { code: 'tls_client_certificate', reason: /does not take this gateway's certificate.*tls\.certFile/ },
      );
    });

    it('blocks when ours is missing, and loses nothing until it is configured', async () => {
      await newOpenTopic(MUTUAL_USER);
      const options = { brokers: [secure.brokers.mutual], tls: trusted() };
      const running = await run(options);
      running.append(COUNT);
      await running.reaches('blocked');
      expect(running.status()).toMatchObject({ code: 'tls_client_certificate' });
      await running.stop();
      await expectDelivered(await run({ ...options, tls: { ...trusted(), ...own } }, running.log));
    });

    it('says so when the port does not speak TLS', async () => {
      await newOpenTopic('ANONYMOUS');
      const running = await run({ brokers: [secure.kafka.bootstrap], tls: trusted(), requestTimeout: 2_000 });
      await running.reaches('down');
      expect(running.status()?.reason).toMatch(/compare tls/);
    });
  });

  describe('by grants', () => {
    it.each(['Write', 'Describe'] as const)('blocks without %s until it is granted', async (missing) => {
      const operation = missing === 'Write' ? 'Describe' : 'Create';
      await newTopic({ operation });
      const topic = `${prefix}.telemetry`;
      await expectBlockedUntil(
        () => secure.allow({ operation: 'Describe', topic }, { operation: 'Write', topic }),
        overSasl(),
        {
          code: 'topic_authorization_failed',
          reason: new RegExp(`let this user Describe and Write the topic ${topic}`),
        },
      );
    });

    it('blocks exactly once without its grants until they are given, and then sends each record once', async () => {
      await newTopic({ operation: 'Describe' }, { operation: 'Write' });
      const of = (type: 'group' | 'transactional id') => ({ of: { type, name: 'sluice.' }, prefixed: true });
      const running = await run({ ...overSasl(), name: prefix, delivery: 'exactly_once' });
      running.append(COUNT);
      await running.reaches('blocked');
      expect(running.status()?.reason).toContain('let this user Describe and Read the group');
      await secure.allow({ operation: 'Read', ...of('group') });
      const says = (text: string): Promise<unknown> =>
        waitFor(() => running.status()?.reason?.includes(text) === true, {
          what: () => `${text} (${running.status()?.reason})`,
          timeoutMs: 20_000,
        });
      await says('let this user Describe and Write the transactional id');
      await secure.allow({ operation: 'Write', ...of('transactional id') });
      await says('let this user Describe, Read and Write the topic');
      expect(await secure.kafka.topicRecords(`${prefix}.telemetry`)).toEqual([]);
      await secure.allow({ operation: 'Read', topic: `${prefix}.`, prefixed: true });
      await running.drained();
      await running.reaches('up');
      expect(running.counts()).toMatchObject({ deliveredCount: COUNT, rejectedCount: 0, droppedCount: 0 });
      expect(await secure.kafka.topicRecords(`${prefix}.telemetry`)).toHaveLength(COUNT);
      await secure.forbid({ operation: 'Read', ...of('group') }, { operation: 'Write', ...of('transactional id') });
    });

    it('blocks without Create until it is granted, and makes the topics as it was told', async () => {
      topicCount += 1;
      prefix = `secure-${topicCount}`;
      const topic = `${prefix}.telemetry`;
      const grants: Grant[] = [{ operation: 'Create' }, { operation: 'Describe' }, { operation: 'Write' }];
      await expectBlockedUntil(
        () => secure.allow(...grants.map((grant) => ({ ...grant, topic: `${prefix}.`, prefixed: true }))),
        { ...overSasl(), createTopics: { partitions: 3, replicationFactor: 1 } },
        { code: 'topic_authorization_failed', reason: new RegExp(`let this user Create.* ${topic}.*createTopics`) },
      );
      const { topics } = await secure.kafka.admin((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
      expect(topics[0]?.partitions).toHaveLength(3);
    });

    it('needs no Create for topics that exist', async () => {
      await newOpenTopic();
      const running = await run({ ...overSasl(), createTopics: true });
      running.append(COUNT);
      await expectDelivered(running);
    });

    it('goes on when a grant that was taken away is given back', async () => {
      await newOpenTopic();
      const running = await run(overSasl());
      const write: Grant = { operation: 'Write', topic: `${prefix}.`, prefixed: true };
      running.append(COUNT / 2);
      await running.drained();
      await secure.forbid(write);
      running.append(COUNT / 2);
      await running.reaches('blocked');
      expect(running.counts()).toMatchObject({ pendingCount: COUNT / 2, rejectedCount: 0 });
      await secure.allow(write);
      await expectDelivered(running);
    });
  });
});
