import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../src/core/gap.ts';
import { createFraming } from '../../src/sources/serial/framing/create-framing.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { PtyPair } from '../support/pty-pair.ts';
import { SerialDevice } from '../support/serial-device.ts';
import { waitFor } from '../support/wait-for.ts';

const SOON = { timeoutMs: 15_000 };
/** What is sent again would be counted. */
const ONCE = { againMs: 15_000 };
const COBS = createFraming({
  kind: 'cobs',
  maxFrameBytes: 4096,
  check: { type: 'crc16-ccitt', place: 'end', order: 'big', form: 'binary' },
});

let gateway: GatewayProcess;
let pairs: PtyPair[];
let devices: SerialDevice[];

beforeEach(async () => {
  gateway = await GatewayProcess.create();
  pairs = [];
  devices = [];
});

afterEach(async () => {
  await Promise.all(devices.map((device) => device.close()));
  await gateway.dispose();
  await Promise.all(pairs.map((pair) => pair.dispose()));
});

async function plugged(path?: string): Promise<PtyPair> {
  const pair = new PtyPair(path);
  pairs.push(pair);
  await pair.plug();
  return pair;
}

async function deviceOn({ devicePath }: PtyPair): Promise<SerialDevice> {
  const device = new SerialDevice(devicePath);
  devices.push(device);
  await device.open();
  return device;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${gateway.apiPort}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

const counted = (result: string, count: number, port = 'a') =>
  waitFor(async () => (await metric(`sluice_serial_frames_total{port="${port}",result="${result}"}`)) === count, {
    what: `${count} frames ${result}`,
    ...SOON,
  });

const isOpen = (port: string) =>
  waitFor(async () => (await metric(`sluice_serial_port_up{port="${port}"}`)) === 1, {
    what: `${port} to open`,
    ...SOON,
  });

async function latest(device: string): Promise<Record<string, unknown>> {
  const { metrics } = (await gateway.get(`/v1/devices/${device}/telemetry/latest`)) as {
    metrics: Record<string, { value: unknown }>;
  };
  return Object.fromEntries(Object.entries(metrics).map(([name, { value }]) => [name, value]));
}

const isOnline = async (device: string): Promise<boolean> =>
  ((await gateway.get(`/v1/devices/${device}`)) as { online: boolean }).online;

describe('the serial source', { timeout: 60_000 }, () => {
  it('stores what each kind of port says, for the device whose it is', async () => {
    const [lines, binary, bus] = await Promise.all([plugged(), plugged(), plugged()]);
    const [first, second] = await Promise.all(['usb-1', 'usb-2'].map((name) => plugged(join(gateway.directory, name))));
    if (first === undefined || second === undefined) throw new Error('no ports');
    const check = { type: 'crc16-ccitt' };
    gateway.configure({
      serial: [
        { name: 'lines', path: lines.path },
        {
          name: 'binary',
          path: binary.path,
          framing: { type: 'cobs', check },
          stream: 'events',
          eventType: 'raw',
          format: 'raw',
        },
        {
          name: 'bus',
          path: bus.path,
          format: 'csv',
          columns: ['id', 'power'],
          deviceFrom: 'id',
          device: 'meter-{device}',
        },
        { name: 'usb', path: join(gateway.directory, 'usb-*'), format: 'key=value', metric: 'm' },
      ],
    });
    await gateway.start();
    for (const port of ['lines', 'binary', 'bus', 'usb/1', 'usb/2']) await isOpen(port);
    await (await deviceOn(lines)).write('{"temperature":21.5}\r\nnot json\n');
    await (await deviceOn(binary)).write(COBS.encode(Buffer.from([0, 1, 2])) ?? '');
    await (await deviceOn(bus)).write('17,4.5\n18,5.5\n,1\n');
    await (await deviceOn(first)).write('t=1\n');
    await (await deviceOn(second)).write('t=2\n');
    await counted('accepted', 1, 'lines');
    await counted('refused', 1, 'lines');
    await counted('accepted', 1, 'binary');
    await counted('accepted', 2, 'bus');
    await counted('refused', 1, 'bus');
    await counted('accepted', 1, 'usb/1');
    await counted('accepted', 1, 'usb/2');
    expect(await latest('lines')).toEqual({ temperature: 21.5 });
    expect(await latest('meter-17')).toEqual({ id: '17', power: 4.5 });
    expect(await latest('meter-18')).toMatchObject({ power: 5.5 });
    expect(await latest('usb-1')).toEqual({ 'm.t': 1 });
    expect(await latest('usb-2')).toEqual({ 'm.t': 2 });
    const { records } = (await gateway.get('/v1/records?stream=events')) as { records: Record<string, unknown>[] };
    expect(records).toMatchObject([{ device: 'binary', event_type: 'raw', channel: 'serial/binary' }]);
    for (const device of ['lines', 'binary', 'meter-17', 'usb-1']) expect(await isOnline(device)).toBe(true);
    const mqtt = await connectAsync(`mqtt://127.0.0.1:${gateway.mqttPort}`);
    const statuses: string[] = [];
    mqtt.on('message', (topic, payload) => statuses.push(`${topic} ${payload}`));
    await mqtt.subscribeAsync('devices/meter-17/status');
    await waitFor(() => statuses.length === 1, { what: 'the status', ...SOON });
    await bus.unplug();
    await waitFor(async () => !(await isOnline('meter-17')), { what: 'the meter to be offline', ...SOON });
    expect(await isOnline('lines')).toBe(true);
    await waitFor(() => statuses.length === 2, { what: 'the status', ...SOON });
    expect(statuses).toEqual(['devices/meter-17/status online', 'devices/meter-17/status offline']);
    await mqtt.endAsync();
  });

  it('acknowledges on the wire what is stored, once for each number, over a kill too', async () => {
    const pair = await plugged();
    const port = { name: 'a', path: pair.path, ack: 'OK {frame}\n', nack: 'NO\n', dedupe: { field: 'n', window: 4 } };
    gateway.configure({ serial: [port] });
    await gateway.start();
    await isOpen('a');
    const device = await deviceOn(pair);
    for (const number of [0, 1, 2]) expect(await device.deliver(number, ONCE)).toBe(true);
    await device.write('{"n":1,"value":0.1}\n');
    await counted('duplicate', 1);
    // The same number with other values: a sketch that began to count anew.
    await device.write('{"n":1,"value":77}\n');
    await counted('accepted', 4);
    await gateway.stop('SIGKILL');
    await gateway.start();
    await isOpen('a');
    await device.write('{"n":1,"value":77}\n{"n":2,"value":0.2}\n');
    await counted('duplicate', 2);
    await device.write('{"value":1}\n');
    await counted('refused', 1);
    await waitFor(() => device.heard.endsWith('NO\n') || device.heard === '', { what: 'the refusal', ...SOON });
    // The window has four places: number 0 is new again.
    for (const number of [3, 4, 5, 6]) expect(await device.deliver(number, ONCE)).toBe(true);
    await device.write('{"n":2,"value":0.2}\n');
    await counted('accepted', 5);
  });

  it('counts what finds no room while nothing can be stored, and reports exactly that in gaps', async () => {
    const pair = await plugged();
    const directory = join(gateway.directory, 'upstream');
    gateway.configure({
      buffer: { maxBytes: '1MiB', keepFree: '0B', whenFull: 'block' },
      serial: [{ name: 'a', path: pair.path, maxWaiting: '8KiB' }],
      uplinks: [{ name: 'plant', type: 'file', directory }],
    });
    await gateway.start();
    await isOpen('a');
    const ask = (what: string) =>
      fetch(`http://127.0.0.1:${gateway.apiPort}/v1/uplinks/plant/${what}`, { method: 'POST' });
    await ask('pause');
    const device = await deviceOn(pair);
    const overruns = () => metric('sluice_serial_frames_total{port="a",result="overrun"}');
    const some = `{"value":"${'x'.repeat(400)}"}\n`.repeat(20);
    let sentCount = 0;
    while ((await overruns()) < 50) {
      await device.write(some);
      sentCount += 20;
    }
    await ask('resume');
    await waitFor(
      async () =>
        (await metric('sluice_serial_frames_total{port="a",result="accepted"}')) + (await overruns()) === sentCount,
      { what: 'all frames to be accounted for', ...SOON },
    );
    const lostCount = await overruns();
    const gapsOf = async (): Promise<Gap[]> => {
      const { records } = (await gateway.get('/v1/records?stream=gaps')) as { records: { value: Gap }[] };
      return records.map(({ value }) => value).filter(({ reason }) => reason === 'overrun');
    };
    const told = async () => (await gapsOf()).reduce((sum, { count }) => sum + count, 0);
    await waitFor(async () => (await told()) === lostCount, { what: 'the gaps', ...SOON });
    for (const gap of await gapsOf()) {
      expect(gap).toMatchObject({ uplink: 'plant', device: 'a', stream: 'telemetry', first_seq: null });
    }
  });
});
