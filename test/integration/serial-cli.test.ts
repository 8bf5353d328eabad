import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sluice } from '../support/command-line.ts';
import { configOf } from '../support/config-text.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { PtyPair } from '../support/pty-pair.ts';
import { SerialDevice } from '../support/serial-device.ts';
import { waitFor } from '../support/wait-for.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');

let pair: PtyPair;
let device: SerialDevice;
let directory: string;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-serial-cli-'));
  pair = new PtyPair();
  await pair.plug();
  device = new SerialDevice(pair.devicePath);
  await device.open();
});

afterEach(async () => {
  await device.close();
  await pair.dispose();
  rmSync(directory, { recursive: true });
});

/** The device says the same again and again until the command has heard enough. */
async function listen(says: string, ...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [MAIN, 'serial', 'listen', pair.path, ...args], { timeout: 25_000 });
  const outcome = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]);
  const ended = outcome.then(([[code], out, err]) => ({ code: code as number | null, out, err }));
  let isOver = false;
  const done = ended.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await device.write(says);
    await Promise.race([done, delay(50)]);
  }
  return await done;
}

describe('sluice serial listen', () => {
  it('shows what comes and what it would become', async () => {
    const { code, out } = await listen('t=1\nnonsense\n', '--format', 'key=value', '--count', '2');
    expect(code).toBe(0);
    expect(out).toContain('port telemetry {"t":1}\n');
    expect(out).toContain('refused  not_key_value: nonsense\n');
    expect(out).toContain('1 good, 1 refused, 0 bad.\n');
  });

  it('shows why frames are bad when the settings are wrong', async () => {
    const options = ['--options', 'framing: { type: slip, maxFrameBytes: 16B }', '--count', '1', '--json'];
    const { code, out } = await listen('t=1\nt=2\nt=3\nt=4\nt=5\n', ...options);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ kind: 'bad', reason: 'too_long', hex: expect.stringMatching(/^743d/) });
  });

  it.each([
    [['listen'], 2, 'serial listen needs the PATH of a port'],
    [['lisst'], 2, 'serial needs to know what to do: list or listen'],
    [['list', 'x'], 2, 'unexpected argument x'],
    [['listen', '/dev/x', '--count', '0'], 2, '--count must be a whole number from 1'],
    [['listen', '/dev/x', '--framing', 'line'], 78, 'serial[0].framing: must be lines or'],
    [
      [
        'listen',
        '/dev/x',
        '--options',
        'modbus: { units: [ { unitId: 1, registers: [ { name: a, type: coil, address: 1 } ] } ] }',
      ],
      2,
      'Modbus units speak only when they are asked',
    ],
    [['listen', '/nowhere/x'], 1, 'nothing is there'],
  ])('says what is wrong with %j', (args, code, message) => {
    const result = sluice(['serial', ...args]);
    expect(result.code).toBe(code);
    expect(result.err).toContain(message);
  });
});

describe('sluice serial list', () => {
  it('shows what the running gateway reads and what is in its way, and without one what is plugged in', async () => {
    const gateway = await GatewayProcess.create({
      config: {
        serial: [
          { name: 'a', path: pair.path },
          { name: 'b', path: '/nowhere/b' },
        ],
      },
    });
    try {
      await gateway.start();
      const state = async () => (await gateway.get('/v1/serial/ports')) as { ports: { name: string; state: string }[] };
      await waitFor(async () => (await state()).ports[0]?.state === 'open', { what: 'a to open', timeoutMs: 15_000 });
      const { code, out } = sluice(['serial', 'list', '--config', gateway.configFile]);
      expect(code).toBe(0);
      expect(out).toContain('Configured, and not open:\n\n  b, /nowhere/b: absent\n');
      const listened = sluice(['serial', 'listen', pair.path]);
      expect(listened.err).toContain('another program has it open');
    } finally {
      await gateway.dispose();
    }
  });

  it('needs no configuration', () => {
    const { code, out } = sluice(['serial', 'list', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ found: expect.any(Array) });
  });

  it('gives lines that the configuration takes', () => {
    const config = join(directory, 'sluice.yaml');
    writeFileSync(config, `gateway: { dataDir: ${directory} }`);
    const { code, out } = sluice(['serial', 'list', '--json', '--config', config]);
    expect(code).toBe(0);
    const { found } = JSON.parse(out) as { found: { config: string }[] };
    expect(() => configOf(`serial:\n${found.map((port) => `  ${port.config}\n`).join('')}`)).not.toThrow();
  });
});
