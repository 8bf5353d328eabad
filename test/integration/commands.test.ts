/** Commands through the real gateway: the page on them, clients of mosquitto, and a kill. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endWithUs } from '../support/end-with-us.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { startCommand } from '../support/run-command.ts';
import { waitFor } from '../support/wait-for.ts';

const PAGE = readFileSync(resolve(import.meta.dirname, '../../docs/commands.md'), 'utf8');
const DOCUMENTED = 'http://127.0.0.1:8080';

interface Command {
  readonly request_id: string;
  readonly state: string;
  readonly sent_at: string | null;
}

let gateway: GatewayProcess;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  gateway = await GatewayProcess.create();
  // Where curl and the clients of mosquitto look for what they are told besides.
  writeFileSync(join(gateway.directory, '.curlrc'), 'silent\nfail-with-body\n');
  mkdirSync(join(gateway.directory, 'clients'));
  for (const name of ['mosquitto_pub', 'mosquitto_sub'])
    writeFileSync(join(gateway.directory, 'clients', name), `-p ${gateway.mqttPort}\n`);
  env = { ...process.env, CURL_HOME: gateway.directory, XDG_CONFIG_HOME: join(gateway.directory, 'clients') };
  await gateway.start();
});

afterAll(() => gateway.dispose());

const url = (path: string): string => `http://127.0.0.1:${gateway.apiPort}${path}`;

async function give(path: string, timeoutMs: number): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(url(`/v1/devices/${path}`), {
    method: 'POST',
    headers,
    body: JSON.stringify({ timeout_ms: timeoutMs }),
  });
}

async function know(device: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  await fetch(url(`/v1/devices/${device}/telemetry`), { method: 'POST', headers, body: '{"on":true}' });
}

function mosquitto(program: 'mosquitto_pub' | 'mosquitto_sub', ...args: readonly string[]) {
  return startCommand(program, ['-p', `${gateway.mqttPort}`, ...args], { debianPackage: 'mosquitto-clients' });
}

async function becomes(requestId: string, state: string): Promise<void> {
  const isSo = async () => ((await gateway.get(`/v1/commands/${requestId}`)) as Command).state === state;
  await waitFor(isSo, { what: `the command to be ${state}`, timeoutMs: 10_000 });
}

/** The names in a document, at any depth. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape);
  if (typeof value !== 'object' || value === null) return 'value';
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shape(member)]));
}

describe('docs/commands.md', () => {
  it('has an example that works, and answers as it shows', async () => {
    const [example = ''] = PAGE.split('\n## Giving one\n');
    const found = [...example.matchAll(/```sh\n([\s\S]*?)```(?:\n\n```json\n([\s\S]*?)```)?/g)];
    const [device = '', ...asking] = found.map(([, script = '']) => script.replaceAll(DOCUMENTED, url('')));
    const pump = spawn('timeout', ['-s', 'KILL', '60', 'sh', '-ec', device], {
      env,
      stdio: 'ignore',
      detached: true,
    });
    endWithUs(pump);
    try {
      await waitFor(async () => (await fetch(url('/v1/devices/pump'))).status === 200, {
        what: 'the device to be known',
        timeoutMs: 10_000,
      });
      expect(asking).toHaveLength(2);
      for (const [index, script] of asking.entries()) {
        const { status, stdout } = spawnSync('sh', ['-ec', script], { env, encoding: 'utf8' });
        expect([status, script, stdout]).toEqual([0, script, stdout]);
        const answer = JSON.parse(
          stdout
            .trim()
            .split(/(?<=\})(?=\{"commands")/)
            .at(-1) ?? '',
        );
        const shown = JSON.parse(found[index + 1]?.[2] ?? '');
        expect(Object.keys(answer)).toEqual(Object.keys(shown));
        if (index === 0) expect(answer).toMatchObject({ state: 'done', status: 200, result: { litres: 1.5 } });
        else expect(shape(answer.commands[0])).toMatchObject({ request_id: 'value', state: 'value' });
      }
    } finally {
      process.kill(-(pump.pid ?? 0), 'SIGKILL');
    }
  });
});

describe('a command', () => {
  it('finds a device that comes while somebody waits for the answer', async () => {
    await know('lamp');
    const answer = give('lamp/commands/on?wait=20s', 20_000);
    const given = async () =>
      ((await gateway.get('/v1/devices/lamp/commands')) as { commands: Command[] }).commands.length === 1;
    await waitFor(given, { what: 'the command', timeoutMs: 5_000 });
    const heard = await mosquitto('mosquitto_sub', '-t', 'devices/lamp/commands/#', '-C', '1').ended;
    const { request_id } = JSON.parse(heard.stdout) as Command;
    await mosquitto(
      'mosquitto_pub',
      '-q',
      '1',
      '-t',
      `devices/lamp/responses/${request_id}`,
      '-m',
      '{"status":409,"error":"is on"}',
    ).ended;
    const response = await answer;
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ request_id, state: 'failed', status: 409, error: 'is on' });
    const metrics = await (await fetch(url('/metrics'))).text();
    expect(metrics).toContain('sluice_commands_finished_total{state="failed"} 1\n');
  });

  it('leaves nothing for a session that is away until its time is over', async () => {
    await know('valve');
    const session = ['-c', '-i', 'valve', '-q', '1', '-t', 'devices/valve/commands/#'];
    await mosquitto('mosquitto_sub', ...session, '-E').ended;
    expect((await give('valve/commands/open?wait=5s', 50)).status).toBe(504);
    await mosquitto('mosquitto_pub', '-q', '1', '-t', 'devices/valve/commands/later', '-m', 'an ordinary message')
      .ended;
    const { stdout } = await mosquitto('mosquitto_sub', ...session, '-C', '1').ended;
    expect(stdout).toBe('an ordinary message\n');
  });

  it('is forgotten by a gateway that is killed, and never sent by the next one', async () => {
    for (const device of ['gate', 'door']) await know(device);
    const door = mosquitto('mosquitto_sub', '-c', '-i', 'door', '-q', '1', '-t', 'devices/door/commands/#', '-C', '1');
    const given = await Promise.all(['gate', 'door'].map((device) => give(`${device}/commands/open`, 3_600_000)));
    const [queued, sent] = (await Promise.all(given.map((response) => response.json()))) as [Command, Command];
    await door.ended;
    await becomes(queued.request_id, 'queued');
    await becomes(sent.request_id, 'sent');
    await gateway.stop('SIGKILL');
    await gateway.start();
    for (const { request_id } of [queued, sent])
      expect((await fetch(url(`/v1/commands/${request_id}`))).status).toBe(404);
    for (const device of ['gate', 'door']) {
      const topic = `devices/${device}/commands/#`;
      const next = mosquitto('mosquitto_sub', '-c', '-i', device, '-q', '1', '-t', topic, '-C', '1');
      // Until it has subscribed, nobody hears it; what is sent to it then comes before.
      const publish = async () => {
        await mosquitto('mosquitto_pub', '-t', `devices/${device}/commands/marker`, '-m', 'behind it').ended;
        return next.stdout() !== '';
      };
      await waitFor(publish, { what: 'the device', timeoutMs: 10_000 });
      expect((await next.ended).stdout).toBe('behind it\n');
    }
  });
});
