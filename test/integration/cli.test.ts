import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandResult, sluice } from '../support/command-line.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait-for.ts';

let gateway: GatewayProcess;

beforeAll(async () => {
  gateway = await GatewayProcess.create();
  const { mqttPort } = gateway;
  gateway.configure({
    mqtt: {
      listeners: [
        { host: '127.0.0.1', port: mqttPort },
        { host: '127.0.0.2', port: mqttPort, anonymous: false },
      ],
    },
    uplinks: [{ type: 'file' }],
  });
  await gateway.start();
});
afterAll(() => gateway.dispose());

const ask = (...args: string[]): CommandResult => sluice([...args, '--config', gateway.configFile]);

async function publish(topic: string, payload: string, login: object = {}): Promise<void> {
  const host = 'password' in login ? '127.0.0.2' : '127.0.0.1';
  const client = await connectAsync(`mqtt://${host}:${gateway.mqttPort}`, { reconnectPeriod: 0, ...login });
  await client.publishAsync(topic, payload, { qos: 1 });
  await client.endAsync();
}

describe('the command line beside a running gateway', () => {
  it('says how it is, and that no device has come yet', () => {
    const { code, out, err } = ask('status');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^gateway +test-gateway, up /);
    expect(out).toMatch(/^file +(up|connecting) +0 +0 +0 +0 +0 +0 s$/m);
    expect(out).toContain('Nothing arrives: no device has connected yet: publish to devices/{id}/telemetry.');
  });

  it('adds a device that can log in at once, lists it, and removes it', async () => {
    const { code, out } = ask('device', 'add', 'kitchen', '--json');
    expect(code).toBe(0);
    const { secret } = JSON.parse(out);
    await publish('devices/kitchen/telemetry', '{"temperature":21.5}', { username: 'kitchen', password: secret });
    expect(JSON.parse(ask('device', 'list', '--json').out)).toEqual({
      devices: [{ id: 'kitchen', provisioned: true, online: expect.any(Boolean), last_seen_at: expect.any(String) }],
    });
    expect(ask('device', 'add', 'kitchen')).toMatchObject({
      code: 1,
      err: expect.stringContaining('has a secret already'),
    });
    expect(ask('device', 'remove', 'kitchen')).toMatchObject({ code: 0 });
    expect(ask('device', 'remove', 'kitchen')).toMatchObject({
      code: 1,
      err: expect.stringContaining('no device kitchen'),
    });
  });

  it('lets the users of a mosquitto password file in with the passwords they have', async () => {
    const file = join(gateway.directory, 'passwd');
    const made = spawnSync('mosquitto_passwd', ['-c', '-b', file, 'old-meter', 'old password'], { timeout: 10_000 });
    expect(made.status).toBe(0);
    expect(ask('device', 'import', file)).toMatchObject({ code: 0, out: expect.stringContaining('1 device imported') });
    const login = { clientId: 'old-meter', username: 'old-meter' };
    const topic = 'devices/old-meter/telemetry';
    await publish(topic, '{"t":1}', { ...login, password: 'old password' });
    await expect(publish(topic, '{"t":1}', { ...login, password: 'new password' })).rejects.toThrow(
      /user ?name or password/i,
    );
    expect(ask('device', 'list').out).toMatch(/^old-meter +yes /m);
  });

  it('says nothing of missing records when they arrive, and counts what was refused', async () => {
    await publish('devices/cellar/telemetry', '{"temperature":12}');
    await publish('devices/cellar/telemetry', '{');
    const page = await waitFor(() => /^file +up +[1-9]\d* +[1-9]/m.test(ask('status').out) && ask('status').out, {
      what: 'a record delivered to the file uplink',
      timeoutMs: 20_000,
    });
    expect(page).not.toContain('Nothing arrives');
    expect(page).toMatch(/^messages +1 refused \(/m);
  });

  it('gives programs the documents of the gateway themselves', async () => {
    const documents = JSON.parse(ask('status', '--json').out);
    expect(Object.keys(documents)).toEqual(['gateway', 'buffer', 'uplinks', 'replays', 'devices', 'health']);
    const [uplink] = documents.uplinks.uplinks;
    const fromApi = (await gateway.get('/v1/uplinks/file')) as object;
    expect([uplink.name, Object.keys(uplink)]).toEqual(['file', Object.keys(fromApi)]);
    expect(documents.gateway.epoch).toBe(((await gateway.get('/v1/gateway')) as { epoch: string }).epoch);
  });

  it('starts no second gateway on the same directory, and names the first', () => {
    const { code, err } = ask('run');
    expect([code, err]).toEqual([1, expect.stringContaining(`in use by the gateway with pid ${gateway.pid}`)]);
  });

  it('ends with 0 after SIGTERM, in order', async () => {
    expect(await gateway.stop('SIGTERM')).toEqual({ code: 0, signal: null });
    const messages = readFileSync(gateway.logFile, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).message);
    expect(messages.indexOf('stopping')).toBeGreaterThan(messages.indexOf('ready'));
    expect(messages.at(-1)).toBe('stopped');
    expect(ask('status')).toMatchObject({ code: 1, err: expect.stringContaining('no gateway runs on') });
  });
});
