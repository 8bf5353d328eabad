import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StructLayout } from '../../src/core/struct-layout.ts';
import { createFraming } from '../../src/sources/serial/framing/create-framing.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { giveCommand, stateOf } from '../support/give-command.ts';
import { PtyPair } from '../support/pty-pair.ts';
import { startCommand } from '../support/run-command.ts';
import { SerialDevice } from '../support/serial-device.ts';
import { waitFor } from '../support/wait-for.ts';

const SOON = { timeoutMs: 15_000 };
const DIM = {
  name: 'dim',
  write: 'DIM {request_id} {params.level}',
  response: { pattern: '^OK (?<request_id>\\S+) (?<level>\\d+)$', error: '^ERR (?<request_id>\\S+) (?<error>.*)$' },
};

let gateway: GatewayProcess;
let pair: PtyPair;
let device: SerialDevice;

beforeEach(async () => {
  gateway = await GatewayProcess.create();
  pair = new PtyPair();
  await pair.plug();
  device = new SerialDevice(pair.devicePath);
});

afterEach(async () => {
  await device.close();
  await gateway.dispose();
  await pair.dispose();
});

async function started(port: object): Promise<void> {
  gateway.configure({ serial: [{ name: 'lamp', path: pair.path, readyAfter: '0ms', ...port }] });
  await gateway.start();
  await portIs('open');
  await device.open();
}

interface PortJson {
  readonly state: string;
  readonly frames: Readonly<Record<string, number>>;
}

async function port(): Promise<PortJson> {
  const { ports } = (await gateway.get('/v1/serial/ports')) as { ports: PortJson[] };
  return ports[0] ?? { state: '', frames: {} };
}

const portIs = (state: string) =>
  waitFor(async () => (await port()).state === state, { what: `the port to be ${state}`, ...SOON });

/** A lamp that dims, and says no above 100. */
function lamp(line: string): string | undefined {
  const [what, id, level] = line.split(' ');
  if (what !== 'DIM') return undefined;
  return Number(level) > 100 ? `ERR ${id} too bright\n` : `OK ${id} ${level}\n`;
}

describe('commands to a device on a serial port', { timeout: 60_000 }, () => {
  it('are answered by it, while its frames are stored and acknowledged', async () => {
    await started({
      ack: 'OK {frame}\n',
      dedupe: { field: 'n' },
      commands: [DIM, { name: 'restart', write: 'RESTART' }],
    });
    const heard: string[] = [];
    device.answerTo = (line) => {
      heard.push(line);
      return lamp(line);
    };
    const levels = Array.from({ length: 20 }, (_, index) => index);
    const [delivered, answers] = await Promise.all([
      Promise.all(levels.map((number) => device.deliver(number, { againMs: 15_000 }))),
      Promise.all(levels.map((level) => giveCommand(gateway, 'lamp', 'dim', { params: { level } }))),
    ]);
    expect(delivered).not.toContain(false);
    expect(answers.map(({ state, status, result }) => ({ state, status, result }))).toEqual(
      levels.map((level) => ({ state: 'done', status: 200, result: { level } })),
    );
    expect(await giveCommand(gateway, 'lamp', 'dim', { params: { level: 101 } })).toMatchObject({
      ...{ state: 'failed', status: 500, error: 'too bright' },
    });
    expect(await giveCommand(gateway, 'lamp', 'restart')).toMatchObject({ state: 'done', status: 202, result: null });
    await waitFor(() => heard.includes('RESTART'), { what: 'the restart', ...SOON });
    expect(await giveCommand(gateway, 'lamp', 'blink')).toMatchObject({
      ...{ state: 'failed', status: 404, error: 'port lamp has no command blink; it has dim, restart', sent_at: null },
    });
    const smuggled = { params: { level: '1\nRESTART' } };
    expect(await giveCommand(gateway, 'lamp', 'dim', smuggled)).toMatchObject({ state: 'failed', status: 400 });
    expect(heard.filter((line) => !/^(OK|DIM [0-9a-f]{32}) \d+$/.test(line))).toEqual(['RESTART']);
    expect((await port()).frames).toEqual({ accepted: 20, answer: 21 });
    const { records } = (await gateway.get('/v1/records?device=lamp')) as { records: { value: object }[] };
    expect(records.every(({ value }) => 'n' in value)).toBe(true);
  });

  it('of an unplugged one wait until it is back, and are never written when their time is over before', async () => {
    // It is asked nothing before it speaks: nothing is lost in what it does when its port is opened.
    await started({ commands: [DIM], readyAfter: '1m' });
    await device.write('{"hello":1}\n');
    const waiting = { params: { level: 1 }, timeoutMs: 60_000, wait: false };
    const unanswered = await giveCommand(gateway, 'lamp', 'dim', { ...waiting, timeoutMs: 4_000 });
    await waitFor(async () => (await stateOf(gateway, unanswered)) === 'sent', { what: 'the command', ...SOON });
    await device.close();
    await pair.unplug();
    await portIs('absent');
    const late = await giveCommand(gateway, 'lamp', 'dim', { params: { level: 2 }, timeoutMs: 1, wait: false });
    const kept = await giveCommand(gateway, 'lamp', 'dim', { ...waiting, params: { level: 3 } });
    expect(await stateOf(gateway, kept)).toBe('queued');
    await waitFor(async () => (await stateOf(gateway, unanswered)) === 'expired', { what: 'its end', ...SOON });
    await waitFor(async () => (await stateOf(gateway, late)) === 'expired', { what: 'its end', ...SOON });
    await pair.plug();
    const heard: string[] = [];
    device.answerTo = (line) => {
      heard.push(line);
      return lamp(line);
    };
    await device.open();
    await portIs('open');
    expect(await stateOf(gateway, kept)).toBe('queued');
    await device.write('{"hello":2}\n');
    await waitFor(async () => (await stateOf(gateway, kept)) === 'done', { what: 'the answer', ...SOON });
    expect(heard).toEqual([`DIM ${kept.request_id} 3`]);
  });

  it('are written in bytes to the device that a frame was of', async () => {
    const framing = createFraming({
      kind: 'cobs',
      maxFrameBytes: 64,
      check: { type: 'crc16-ccitt', place: 'end', order: 'little', form: 'binary' },
    });
    const answer = new StructLayout('<BBf');
    await started({
      framing: { type: 'cobs', check: { type: 'crc16-ccitt', order: 'little' } },
      format: 'struct',
      layout: '<BH',
      columns: ['node', 'celsius'],
      deviceFrom: 'node',
      device: 'node-{device}',
      commands: [
        {
          name: 'heat',
          write: [9, '{params.celsius}'],
          layout: '<Bf',
          response: { layout: '<BBf', columns: ['kind', '_', 'celsius'], when: { kind: 9 }, errorWhen: { kind: 255 } },
        },
      ],
    });
    const decoder = framing.decoder({
      good: (payload) => {
        const [kind, celsius] = new StructLayout('<Bf').read(payload) as [number, number];
        void device.write(framing.encode(answer.write([celsius > 90 ? 255 : kind, 0, celsius])) ?? '');
      },
      bad: () => undefined,
    });
    device.onBytes = (bytes) => decoder.feed(bytes);
    await device.write(framing.encode(new StructLayout('<BH').write([7, 0])) ?? Buffer.alloc(0));
    await waitFor(async () => (await port()).frames['accepted'] === 1, { what: 'the frame', ...SOON });
    expect(await giveCommand(gateway, 'node-7', 'heat', { params: { celsius: 21.5 } })).toMatchObject({
      ...{ state: 'done', result: { kind: 9, celsius: 21.5 } },
    });
    expect(await giveCommand(gateway, 'node-7', 'heat', { params: { celsius: 99 } })).toMatchObject({
      ...{ state: 'failed', status: 500, error: '{"kind":255,"celsius":99}' },
    });
    expect(await giveCommand(gateway, 'node-7', 'heat', { params: { celsius: 'hot' } })).toMatchObject({
      ...{ state: 'failed', status: 400, error: 'value 2 must be a number' },
    });
  });

  it('go over MQTT, whenever it is there, to a device whose port has none', async () => {
    await started({});
    const given = await giveCommand(gateway, 'lamp', 'dim', { wait: false });
    expect(await stateOf(gateway, given)).toBe('queued');
    const topic = 'devices/lamp/commands/+';
    const args = ['-p', `${gateway.mqttPort}`, '-q', '1', '-t', topic, '-C', '1'];
    const { stdout } = await startCommand('mosquitto_sub', args, { debianPackage: 'mosquitto-clients' }).ended;
    expect(JSON.parse(stdout)).toMatchObject({ request_id: given.request_id });
    expect(await stateOf(gateway, given)).toBe('sent');
  });
});
