import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../support/ask.ts';
import { sluice } from '../support/command-line.ts';
import { freePort } from '../support/free-port.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type SecureKafka, startSecureKafka } from '../support/secure-kafka.ts';
import { waitFor } from '../support/wait-for.ts';

/** Everything that somebody could use who reads it: found nowhere but where it was put. */
const CANARIES = new Map<string, string>();

function canary(name: string): string {
  const value = `canary-${randomBytes(12).toString('hex')}`;
  CANARIES.set(name, value);
  return value;
}

/** Options that hold a secret or name its file, by the editor schema; the others of these words hold none. */
const NO_SECRETS = ['http.maxIdempotencyKeys', 'uplinks[].key', 'uplinks[].tls.certFile'];

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
}

function* optionsOf(node: SchemaNode, path = ''): Generator<string> {
  for (const [name, inner] of Object.entries(node.properties ?? {})) {
    const place = path === '' ? name : `${path}.${name}`;
    yield place;
    yield* optionsOf(inner, place);
  }
  if (node.items !== undefined) yield* optionsOf(node.items, `${path}[]`);
  for (const choice of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) yield* optionsOf(choice, path);
}

/** Paths of the options that a configuration sets. */
function* optionsSet(value: unknown, path = ''): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) yield* optionsSet(item, `${path}[]`);
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    const place = path === '' ? name : `${path}.${name}`;
    yield place;
    yield* optionsSet(inner, place);
  }
}

describe('secrets', { timeout: 120_000 }, () => {
  let kafka: SecureKafka;
  let gateway: GatewayProcess;
  let config: Readonly<Record<string, unknown>>;
  let tokenPort: number;
  let lockedPort: number;
  /** What the gateway and its commands said, by where it was said. */
  const said = new Map<string, string>();
  const env = { KAFKA_PASSWORD: canary('sasl.password by variable') };

  const secretFile = (name: string, content: string): string => {
    const file = join(gateway.directory, name);
    writeFileSync(file, content, { mode: 0o600 });
    return file;
  };

  /** The lines of the key itself are the canary. */
  const secretKey = (name: string): { certFile: string; keyFile: string } => {
    const issued = kafka.authority.issue({ name });
    const body = readFileSync(issued.keyFile, 'utf8').split('\n')[1] ?? '';
    CANARIES.set(`private key of ${name}`, body);
    return issued;
  };

  beforeAll(async () => {
    kafka = await startSecureKafka();
    gateway = await GatewayProcess.create({ env });
    [tokenPort, lockedPort] = [await freePort(), await freePort()];
    const brokers = { type: 'kafka', brokers: [kafka.brokers.sasl], tls: { caFile: kafka.authority.caFile } };
    const backoff = { initial: '10ms', max: '200ms' };
    const hash = '0'.repeat(64);
    config = {
      log: { level: 'debug', format: 'json' },
      mqtt: {
        listeners: [
          { host: '127.0.0.1', port: gateway.mqttPort },
          { host: '127.0.0.1', port: lockedPort, anonymous: false },
          { host: '127.0.0.1', port: 0, tls: secretKey('broker') },
        ],
      },
      api: {
        listeners: [
          { host: '127.0.0.1', port: gateway.apiPort },
          { host: '127.0.0.1', port: tokenPort, anonymous: false },
          { host: '127.0.0.1', port: 0, tls: secretKey('api') },
        ],
        tokensFile: secretFile('api-tokens', `dashboard:read:${hash}\n`),
      },
      uplinks: [
        {
          name: 'plain',
          ...brokers,
          backoff,
          sasl: { mechanism: 'plain', username: 'pi', password: canary('sasl.password') },
        },
        {
          name: 'scram',
          ...brokers,
          backoff,
          sasl: {
            mechanism: 'scram-sha-512',
            username: 'pi',
            passwordFile: secretFile('password', `${canary('sasl.passwordFile')}\n`),
          },
        },
        {
          name: 'variable',
          ...brokers,
          backoff,
          sasl: { mechanism: 'scram-sha-256', username: 'pi', password: '$' + '{KAFKA_PASSWORD}' },
        },
        {
          name: 'bearer',
          ...brokers,
          backoff,
          sasl: { mechanism: 'oauthbearer', tokenFile: secretFile('token', canary('sasl.tokenFile')) },
        },
        {
          name: 'certificate',
          type: 'kafka',
          brokers: [kafka.brokers.mutual],
          backoff,
          tls: { caFile: kafka.authority.caFile, ...secretKey('uplink') },
        },
        { name: 'stick', type: 'file' },
      ],
    };
    gateway.configure(config);
    await gateway.start();
  });
  afterAll(async () => {
    await gateway.dispose();
    await kafka.stop();
  });

  const command = (name: string, ...args: readonly string[]): void => {
    const { out, err } = sluice(args, env);
    said.set(`sluice ${name}`, out + err);
  };

  async function login(username: string, password: string): Promise<void> {
    const client = await connectAsync(`mqtt://127.0.0.1:${lockedPort}`, {
      username,
      password,
      reconnectPeriod: 0,
      clientId: username,
    });
    await client.publishAsync(`devices/${username}/telemetry`, '{"ok":true}', { qos: 1 });
    await client.endAsync();
  }

  it('has every option that holds one among those that are looked for', () => {
    const schema = JSON.parse(readFileSync(resolve(import.meta.dirname, '../../config/sluice.schema.json'), 'utf8'));
    const secretive = new Set(
      [...optionsOf(schema)].filter((path) => /password|secret|token|key/i.test(path.split('.').at(-1) ?? '')),
    );
    const set = new Set(optionsSet(config));
    expect([...secretive].filter((path) => !set.has(path) && !NO_SECRETS.includes(path))).toEqual([]);
  });

  it('are used: devices log in, and uplinks are refused for the wrong ones', async () => {
    const secret = canary('secret of a device');
    command('device add', 'device', 'add', 'kitchen', '--secret', secret, '--config', gateway.configFile);
    await login('kitchen', secret);
    await expect(login('kitchen', canary('wrong secret of a device'))).rejects.toThrow();
    const settled = async (): Promise<boolean> => {
      const { uplinks } = (await gateway.get('/v1/uplinks')) as { uplinks: readonly { name: string; state: string }[] };
      return uplinks.filter(({ state }) => state === 'blocked').length >= 4;
    };
    await waitFor(settled, { what: 'the uplinks to be refused', timeoutMs: 60_000 });
  });

  it('are shown by no route, no command and no message about a wrong configuration', async () => {
    const headers = { authorization: `Bearer ${canary('wrong token')}` };
    said.set('an unknown token', (await ask({ port: tokenPort, path: '/v1/gateway', headers })).body);
    const { paths } = (await gateway.get('/openapi.json')) as { paths: Readonly<Record<string, object>> };
    for (const path of Object.keys(paths)) {
      const place = path
        .replace('{id}', 'kitchen')
        .replace('{name}', 'plain')
        .replace(/\{\w+\}/g, '1');
      said.set(`GET ${path}`, (await ask({ port: gateway.apiPort, path: place })).body);
    }
    for (const name of ['status', 'check']) command(name, name, '--config', gateway.configFile);
    command('status --json', 'status', '--json', '--config', gateway.configFile);
    command('device list', 'device', 'list', '--config', gateway.configFile);
    const whole = JSON.stringify(config);
    const wrong = {
      'with an unknown word': whole.replace('"mechanism":"plain"', '"mechanism":"plane","passwort":"x"'),
      'with a variable that is not set': whole.replace('"password":"canary', `"password":"$\{NOT_SET}canary`),
      'with a secret that is no text': whole.replace(/"password":"(canary[^"]+)"/, '"password":{"text":"$1"}'),
      'that is no YAML': whole.replace('"password":"canary', '"password":"\\Qcanary'),
    };
    for (const [how, text] of Object.entries(wrong)) {
      command(`check of a file ${how}`, 'check', '--config', secretFile('wrong.yaml', text));
    }
  });

  it('are nowhere in what was said, logged, stored and forwarded', async () => {
    await gateway.stop('SIGTERM');
    said.set('the log', readFileSync(gateway.logFile, 'utf8'));
    for (const name of readdirSync(gateway.dataDir, { recursive: true, encoding: 'utf8' })) {
      const file = join(gateway.dataDir, name);
      if (statSync(file).isFile()) said.set(`data/${name}`, readFileSync(file, 'latin1'));
    }
    // What was looked at is what was meant to be.
    expect(said.get('the log')).toContain('kitchen');
    expect(said.get('GET /v1/devices')).toContain('kitchen');
    expect(said.get('sluice check of a file with an unknown word')).toContain('passwort');
    expect(said.get('data/state.db')).toContain('kitchen');
    const found = [...said].flatMap(([where, text]) =>
      [...CANARIES].filter(([, value]) => text.includes(value)).map(([name]) => `${name} in ${where}`),
    );
    expect(CANARIES.size).toBe(10);
    expect(found).toEqual([]);
  });
});
