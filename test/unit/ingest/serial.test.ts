import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RouteOptions } from '../../../src/core/route.ts';
import { DeviceRates } from '../../../src/ingest/device-rates.ts';
import { Ingest } from '../../../src/ingest/ingest.ts';
import { Shares } from '../../../src/ingest/shares.ts';
import { FakeLogWriter } from '../../support/fake-log-writer.ts';

const NOW = 1_700_000_000_000;

let log: FakeLogWriter;

beforeEach(() => {
  log = new FakeLogWriter();
});

function ingest(route: Partial<RouteOptions>): Ingest {
  return new Ingest({
    log,
    routes: [{ topic: '#', stream: 'events', eventType: 'x', device: 'mqtt' }],
    serialRoutes: [{ topic: 'serial/a/+port', stream: 'telemetry', device: 'a-{port}', ...route }],
    clock: { now: () => NOW, quality: () => 'synced', bootTime: () => undefined },
    shares: new Shares({ highWater: 0.8, windowMs: 3_600_000, keptMs: 1e9, refuses: true }),
    rates: new DeviceRates({ ratePerS: 0 }),
    onAccepted: () => undefined,
    onRefused: () => undefined,
  });
}

const frame = (door: Ingest, payload: string) =>
  door.accept({ source: 'serial', channel: 'serial/a/1', payload: Buffer.from(payload), handshake: null });

describe('a frame from a serial port', () => {
  it('goes by the route of its port, and by no other', async () => {
    const door = ingest({});
    expect(await frame(door, '{"t":1}')).toMatchObject({ kind: 'accepted', device: 'a-1' });
    expect(log.records).toMatchObject([{ device: 'a-1', stream: 'telemetry', channel: 'serial/a/1' }]);
    expect(door.deviceOf('serial/a/1')).toBe('a-1');
  });

  it('may say whose it is', async () => {
    const door = ingest({ deviceFrom: 'id', device: 'm-{device}', metrics: { id: false } });
    expect(await frame(door, '{"id":17,"t":1}')).toMatchObject({ kind: 'accepted', device: 'm-17' });
    expect(await frame(door, '[{"id":1,"t":1},{"id":2,"t":1}]')).toEqual({
      kind: 'refused',
      reason: 'several_devices',
    });
    for (const id of ['true', 'null', '""']) {
      expect(await frame(door, `{"id":${id},"t":1}`)).toEqual({ kind: 'refused', reason: 'no_device' });
    }
    expect(door.deviceOf('serial/a/1')).toBeNull();
    expect(Buffer.from(log.records[0]?.value ?? []).toString()).toBe('{"t":1}');
  });

  it.each([
    [{ format: 'csv', columns: ['id', 't'] }, (id: string) => `${id},1`],
    [{ format: 'key=value' }, (id: string) => `id=${id} t=1`],
    [{ format: 'regex', pattern: '^(?<id>\\S+) (?<t>.+)$' }, (id: string) => `${id} 1`],
  ] as const)('in $format is of the device whose id is written there, digit by digit', async (route, payloadOf) => {
    const door = ingest({ ...route, deviceFrom: 'id', device: 'm-{device}' });
    for (const id of ['17', '0017', '1E5', '10E4', '100000', '12345678901234567890', '12345678901234567891', '28E400'])
      expect(await frame(door, payloadOf(id))).toMatchObject({ kind: 'accepted', device: `m-${id}` });
    expect(await frame(door, payloadOf('nan'))).toEqual({ kind: 'refused', reason: 'no_device' });
    expect(Buffer.from(log.records[1]?.value ?? []).toString()).toBe('{"id":"0017","t":1}');
  });

  it('in csv is of the device whose id is written there, whatever separates decimals', async () => {
    const door = ingest({ format: 'csv', columns: ['id', 't'], separator: ';', decimal: ',', deviceFrom: 'id' });
    expect(await frame(door, '4,5;1,5')).toMatchObject({ kind: 'accepted' });
    expect(Buffer.from(log.records[0]?.value ?? []).toString()).toBe('{"id":"4,5","t":1.5}');
  });

  it('does not say whose it is by a number that a reader of JSON rounds', async () => {
    const door = ingest({ deviceFrom: 'id', device: 'm-{device}' });
    for (const id of ['12345678901234567890', '9007199254740992'])
      expect(await frame(door, `{"id":${id},"t":1}`)).toEqual({ kind: 'refused', reason: 'no_device' });
    expect(await frame(door, '{"id":"12345678901234567890","t":1}')).toMatchObject({
      device: 'm-12345678901234567890',
    });
    expect(await frame(door, '{"id":9007199254740991,"t":1}')).toMatchObject({ device: 'm-9007199254740991' });
  });

  it('is stored once by its number and its bytes, which the answer names', async () => {
    const door = ingest({ frameFrom: 'n', metric: 'm' });
    expect(await frame(door, '{"n":5,"t":1}')).toMatchObject({ kind: 'accepted', frame: { number: 5 } });
    expect(await frame(door, '{"n":5,"t":1}')).toMatchObject({ kind: 'duplicate', frame: { number: 5 } });
    const other = await frame(door, '{"n":5,"t":2}');
    expect(other).toMatchObject({ kind: 'accepted', frame: { number: 5 } });
    const { clientId = '', packetId = 0 } = ('frame' in other && other.frame?.key) || {};
    await door.release(clientId, packetId);
    expect(await frame(door, '{"n":5,"t":2}')).toMatchObject({ kind: 'accepted' });
  });

  it.each(['{"t":1}', '{"n":-1}', '{"n":1.5}', '{"n":"1"}', '{"n":4294967296}'])(
    'has no such number: %s',
    async (payload) => {
      expect(await frame(ingest({ frameFrom: 'n' }), payload)).toEqual({ kind: 'refused', reason: 'no_frame_number' });
    },
  );

  it.each([
    ['telemetry {"t":1}', [{ stream: 'telemetry', value: '{"t":1}' }]],
    ['telemetry [{"t":1},{"t":2}]', [{ value: '{"t":1}' }, { value: '{"t":2}' }]],
    ['telemetry/temperature 21.5', [{ stream: 'telemetry', value: '{"temperature":21.5}' }]],
    ['events/door open wide', [{ stream: 'events', eventType: 'door', value: 'open wide' }]],
    ['events/bell', [{ stream: 'events', eventType: 'bell', value: '' }]],
    ['state/reported {"on":true}', [{ stream: 'state', value: '{"on":true}' }]],
    ['responses/7 {"status":200}', [{ stream: 'responses', value: '{"status":200}' }]],
  ])('may begin with its topic: %s', async (payload, records) => {
    expect(await frame(ingest({ topicFirst: true }), payload)).toMatchObject({ kind: 'accepted', device: 'a-1' });
    const stored = log.records.map(({ value, ...record }) => ({ ...record, value: Buffer.from(value).toString() }));
    expect(stored).toMatchObject(records.map((record) => ({ device: 'a-1', channel: 'serial/a/1', ...record })));
  });

  it.each([
    ['{"t":1}', 'unknown_topic'],
    ['', 'unknown_topic'],
    ['commands/reboot x', 'unknown_topic'],
    ['../other/telemetry 1', 'unknown_topic'],
    ['telemetry/x nan', 'nan'],
    ['telemetry {', 'invalid_json'],
    ['events/ x', 'bad_event_type'],
  ])('must begin with one where the port says so, and not with %s', async (payload, reason) => {
    expect(await frame(ingest({ topicFirst: true }), payload)).toEqual({ kind: 'refused', reason });
  });

  it('that found no room is counted for its device, where that is known', async () => {
    const overrun = { count: 3, bytes: 30, firstAt: 1, lastAt: 2 };
    await ingest({ stream: 'events', eventType: 'x' }).overrun('serial/a/1', overrun);
    await ingest({ deviceFrom: 'id' }).overrun('serial/a/1', overrun);
    expect(log.untaken).toEqual([
      { reason: 'overrun', stream: 'events', device: 'a-1', ...overrun },
      { reason: 'overrun', stream: 'telemetry', device: '', ...overrun },
    ]);
  });
});
