import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sluice } from '../support/command-line.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { giveCommand } from '../support/give-command.ts';
import { PtyPair } from '../support/pty-pair.ts';
import { pythonWith } from '../support/python-install.ts';
import { waitFor } from '../support/wait-for.ts';

const SOON = { timeoutMs: 15_000 };
const SERVER = join(import.meta.dirname, '../support/modbus-server.py');

interface Port {
  readonly frames: Readonly<Record<string, number>>;
  readonly bad_frames: readonly { readonly reason: string; readonly hex: string }[];
  readonly units: readonly { readonly unit_id: number; readonly online: boolean; readonly reason: string | null }[];
}

let gateway: GatewayProcess;
let pair: PtyPair;
let server: ChildProcess | undefined;

beforeEach(async () => {
  gateway = await GatewayProcess.create();
  pair = new PtyPair();
});

afterEach(async () => {
  await endServer();
  await gateway.dispose();
  await pair.dispose();
});

/** Devices of pymodbus at the other end of the line. */
async function serve(units: readonly number[]): Promise<void> {
  server = spawn(pythonWith('pymodbus'), [SERVER, pair.devicePath, ...units.map(String)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (server.stdout === null) throw new Error('no output');
  await Promise.race([
    once(server.stdout, 'data'),
    once(server, 'exit').then(() => Promise.reject(new Error('the Modbus server ended'))),
  ]);
}

async function endServer(): Promise<void> {
  const ending = server;
  server = undefined;
  if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
  const exited = once(ending, 'exit');
  ending.kill('SIGKILL');
  await exited;
}

async function port(): Promise<Port> {
  const { ports } = (await gateway.get('/v1/serial/ports')) as { ports: Port[] };
  if (ports[0] === undefined) throw new Error('no port');
  return ports[0];
}

const unitIs = (number: number, isOnline: boolean) =>
  waitFor(async () => (await port()).units.find(({ unit_id }) => unit_id === number)?.online === isOnline, {
    what: `unit ${number} to be ${isOnline ? 'online' : 'offline'}`,
    ...SOON,
  });

async function isOnline(device: string): Promise<boolean> {
  return ((await gateway.get(`/v1/devices/${device}`)) as { online: boolean }).online;
}

async function recordsOf(device: string): Promise<readonly { readonly value: object; readonly channel: string }[]> {
  const { records } = (await gateway.get(`/v1/records?stream=telemetry&device=${device}`)) as {
    records: { value: object; channel: string }[];
  };
  return records;
}

describe('a Modbus line', { timeout: 60_000 }, () => {
  it('is polled for what real devices have, unplugged and plugged again, with a unit that is off and one that refuses', async () => {
    await pair.plug();
    await serve([1, 2]);
    const registers = [
      { name: 'power', type: 'input', address: 52, value: 'float32', scale: 0.001, unit: 'kW' },
      { name: 'swapped', type: 'input', address: 54, value: 'uint32', wordOrder: 'little' },
      { name: 'energy', type: 'holding', address: 100, value: 'uint32' },
      { name: 'temperature', type: 'holding', address: 102, value: 'int16', scale: 0.1 },
      { name: 'total', type: 'holding', address: 200, value: 'int64' },
      { name: 'running', type: 'coil', address: 3 },
      { name: 'fault', type: 'coil', address: 4 },
      { name: 'door', type: 'discrete', address: 10 },
    ];
    const common = { device: 'meter-{unitId}', interval: '250ms' };
    const units = [
      { ...common, unitId: 1, registers },
      { ...common, unitId: 2, registers: [registers[0], { name: 'absent', type: 'holding', address: 3_000 }] },
      { ...common, unitId: 9, registers: [registers[0]] },
    ];
    const line = { baudRate: 9600, modbus: { timeout: '150ms', retries: 1, units } };
    gateway.configure({ serial: [{ name: 'meters', path: pair.path, ...line }] });
    await gateway.start();
    await unitIs(1, true);
    await unitIs(2, true);
    await waitFor(async () => (await port()).units[2]?.reason === 'it does not answer', { what: 'unit 9', ...SOON });
    const values = {
      power: 1.5005,
      swapped: 0x12345678,
      energy: 70_001,
      temperature: -0.5,
      total: 1_234_567_890_123,
      running: true,
      fault: false,
      door: true,
    };
    await waitFor(async () => (await recordsOf('meter-1')).length > 1, { what: 'records', ...SOON });
    expect((await recordsOf('meter-1'))[0]).toMatchObject({ value: values, channel: 'serial/meters/1' });
    await waitFor(async () => (await recordsOf('meter-2')).length > 0, { what: 'records', ...SOON });
    expect((await recordsOf('meter-2'))[0]?.value).toEqual({ power: 3.001 });
    const { frames, bad_frames, units: shown } = await port();
    expect(new Set(Object.keys(frames))).toEqual(new Set(['accepted', 'exception', 'timeout']));
    expect(bad_frames.map(({ reason }) => reason)).toContain('exception');
    expect(shown.map(({ reason }) => reason)).toEqual([
      null,
      'holding 3000: exception 2, illegal data address',
      'it does not answer',
    ]);
    expect(await isOnline('meter-1')).toBe(true);
    const { out } = sluice(['serial', 'list', '--config', gateway.configFile]);
    expect(out).toContain('  meters, unit 2, meter-2: holding 3000: exception 2, illegal data address\n');

    await pair.unplug();
    await endServer();
    await unitIs(1, false);
    expect(await isOnline('meter-1')).toBe(false);
    const before = (await recordsOf('meter-1')).length;
    await pair.plug();
    await serve([1]);
    await unitIs(1, true);
    await waitFor(async () => (await recordsOf('meter-1')).length > before, { what: 'new records', ...SOON });
    await waitFor(async () => (await port()).units[1]?.reason === 'it does not answer', { what: 'unit 2', ...SOON });
    expect(await isOnline('meter-1')).toBe(true);
    expect(await isOnline('meter-2')).toBe(false);
  });

  it('is written to by commands, one register or several, and read back', async () => {
    await pair.plug();
    await serve([1]);
    const writable = { writable: true };
    const registers = [
      { name: 'energy', type: 'holding', address: 100, value: 'uint32', wordOrder: 'big', ...writable },
      { name: 'setpoint', type: 'holding', address: 102, value: 'int16', scale: 0.1, min: -20, max: 80, ...writable },
      { name: 'pulse', type: 'holding', address: 103, readable: false, ...writable },
      { name: 'absent', type: 'holding', address: 3_000, ...writable },
      ...[3, 4, 5].map((address) => ({ name: `coil${address}`, type: 'coil', address, ...writable })),
      { name: 'power', type: 'input', address: 52, value: 'float32' },
    ];
    // Only what was written is read again before the test is over.
    const units = [1, 9].map((unitId) => ({ unitId, device: 'drive-{unitId}', interval: '1h', registers }));
    const line = { baudRate: 9600, modbus: { timeout: '150ms', retries: 1, units } };
    gateway.configure({ serial: [{ name: 'drives', path: pair.path, ...line }] });
    await gateway.start();
    await waitFor(async () => (await recordsOf('drive-1')).length > 0, { what: 'the first poll', ...SOON });
    const write = (params: object, device = 'drive-1') => giveCommand(gateway, device, 'write', { params });
    const readBack = (values: object) =>
      waitFor(
        async () => {
          const shown = { ...(await recordsOf('drive-1'))[0]?.value } as Record<string, unknown>;
          return Object.entries(values).every(([name, value]) => shown[name] === value);
        },
        { what: `a record with ${JSON.stringify(values)}`, ...SOON },
      );
    for (const values of [
      { setpoint: 21.5 },
      { coil3: false },
      { energy: 4_000_000_000, setpoint: -20 },
      { coil3: true, coil4: true, coil5: false },
    ]) {
      expect(await write(values)).toMatchObject({ state: 'done', status: 200, result: values });
      await readBack(values);
    }
    expect(await write({ pulse: 7 })).toMatchObject({ state: 'done', status: 200, result: { pulse: 7 } });
    const reasons = (await port()).units.map(({ reason }) => reason);
    expect(reasons).toEqual(['holding 3000: exception 2, illegal data address', 'it does not answer']);
    expect((await recordsOf('drive-1')).filter(({ value }) => 'pulse' in value)).toEqual([]);
    for (const [params, error] of [
      [{ setpoint: 80.1 }, 'setpoint must be from -20 to 80'],
      [{ energy: 2 ** 32 }, 'energy must be from 0 to 4294967295'],
      [{ power: 1 }, 'power is no register that may be written'],
    ] as const) {
      expect(await write(params)).toMatchObject({
        ...{ state: 'failed', status: 400, sent_at: null, error: expect.stringContaining(error) },
      });
    }
    expect(await write({ absent: 1, setpoint: 3 })).toMatchObject({
      ...{ state: 'failed', status: 502 },
      error: 'holding 3000: exception 2, illegal data address; written before: setpoint',
    });
    expect(await write({ setpoint: 1 }, 'drive-9')).toMatchObject({
      ...{ state: 'failed', status: 504, error: 'holding 102: unit 9 does not answer' },
    });
    const { parts } = (await gateway.get('/health/ready')) as { parts: object[] };
    expect(parts).toContainEqual(
      expect.objectContaining({ name: 'serial:drives', status: 'degraded', reason: expect.stringContaining('unit 9') }),
    );
  });
});
