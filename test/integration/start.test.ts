import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/wait-for.ts';

const SCRIPTS = resolve(import.meta.dirname, '../../scripts');

let directory: string;
let ports: { readonly mqtt: number; readonly api: number };
let started: ChildProcess | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-start-'));
  ports = { mqtt: await freePort(), api: await freePort() };
});

afterEach(async () => {
  if (started !== undefined && started.exitCode === null && started.signalCode === null) {
    started.kill('SIGKILL');
    await once(started, 'exit');
  }
  started = undefined;
  rmSync(directory, { recursive: true, force: true });
});

function environment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    SLUICE_DEMO_DIR: directory,
    SLUICE_DEMO_MQTT_PORT: String(ports.mqtt),
    SLUICE_DEMO_API_PORT: String(ports.api),
  };
}

function run(script: string, ...args: readonly string[]): { code: number | null; output: string; complaint: string } {
  const { status, stdout, stderr } = spawnSync(join(SCRIPTS, script), args, {
    cwd: directory,
    env: environment(),
    encoding: 'utf8',
  });
  return { code: status, output: stdout, complaint: stderr };
}

/** Starts the demonstration and resolves with it and its output when it says that it is ready, or when it ends. */
async function demonstration(): Promise<{ readonly child: ChildProcess; readonly output: string }> {
  let output = '';
  const child = spawn(join(SCRIPTS, 'start'), {
    cwd: directory,
    env: environment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  started = child;
  const saidOrEnded = (): boolean => output.includes('was ready after') || child.exitCode !== null;
  await waitFor(saidOrEnded, { what: 'the demonstration', timeoutMs: 25_000 });
  expect(output).toContain('was ready after');
  return { child, output };
}

function upstreamDevices(): ReadonlySet<string> {
  const folder = join(directory, 'upstream');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ndjson'));
  const lines = files.flatMap((file) => readFileSync(join(folder, file), 'utf8').split('\n'));
  return new Set(lines.flatMap((line) => /greenhouse|plant|meter|arduino-1/.exec(line)?.[0] ?? []));
}

async function isOnline(device: string): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${ports.api}/v1/devices/${device}`);
  return ((await response.json()) as { readonly online?: boolean }).online === true;
}

async function command(device: string, name: string, params: unknown): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${ports.api}/v1/devices/${device}/commands/${name}?wait=20s`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ params, timeout_ms: 20_000 }),
  });
  return response.json();
}

/** Processes whose command line names the demonstration's own port or directory. */
function leftOver(): string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && Number(pid) !== process.pid)
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/environ`, 'utf8') + readFileSync(`/proc/${pid}/cmdline`, 'utf8')];
      } catch {
        return [];
      }
    })
    .filter((text) => text.includes(directory));
}

describe('scripts/start', () => {
  it('runs the gateway, three sensors and an Arduino whose records arrive upstream, and leaves nothing running', async () => {
    const { child, output } = await demonstration();
    expect(output).toContain(`mosquitto_pub -p ${ports.mqtt} -q 1 -t devices/kitchen/telemetry`);
    const arrived = (): boolean => upstreamDevices().size === 4;
    await waitFor(arrived, { what: 'records of all four devices upstream', timeoutMs: 20_000 });
    await waitFor(() => isOnline('arduino-1'), { what: 'the Arduino to be plugged in', timeoutMs: 20_000 });
    await waitFor(async () => !(await isOnline('arduino-1')), { what: 'its cable to be pulled', timeoutMs: 30_000 });
    await waitFor(() => isOnline('arduino-1'), { what: 'it to be plugged in again', timeoutMs: 20_000 });
    expect(await command('arduino-1', 'led', { on: true })).toMatchObject({ state: 'done', result: { on: true } });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    await waitFor(() => leftOver().length === 0, { what: 'every process to be gone', timeoutMs: 20_000 });
  }, 90_000);

  it('stops the sensors when the gateway is killed', async () => {
    const { child } = await demonstration();
    child.kill('SIGKILL');
    await once(child, 'exit');
    await waitFor(() => leftOver().length === 0, { what: 'every process to be gone', timeoutMs: 20_000 });
  });

  it('names a port that is in use in one line and starts nothing', async () => {
    const server = createServer().listen(ports.mqtt, '127.0.0.1');
    await once(server, 'listening');
    const { code, complaint } = run('start');
    server.close();
    expect(code).toBe(1);
    expect(complaint.trim().split('\n')).toHaveLength(1);
    expect(complaint).toContain(`port ${ports.mqtt} of 127.0.0.1 is in use`);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('says what is wrong with its arguments and exits 2', () => {
    expect(run('start', '--kafka')).toMatchObject({ code: 2, complaint: expect.stringContaining('needs a value') });
    expect(run('start', '--kafka', 'nowhere')).toMatchObject({
      code: 2,
      complaint: expect.stringContaining('HOST:PORT'),
    });
    expect(run('start', '--colour')).toMatchObject({ code: 2, complaint: expect.stringContaining('--colour') });
    expect(run('start', '--help')).toMatchObject({ code: 0, output: expect.stringContaining('Usage') });
  });
});

describe('scripts/sluice', () => {
  it('passes its arguments on from any directory', () => {
    expect(run('sluice', 'version')).toMatchObject({ code: 0, output: expect.stringMatching(/\d+\.\d+\.\d+/) });
    expect(run('sluice', 'no-such-command').code).toBe(2);
  });
});
