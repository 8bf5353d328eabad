import { beforeEach, describe, expect, it } from 'vitest';
import { type ListeningClients, MqttCommandSink } from '../../../../src/sources/mqtt/command-sink.ts';

interface Client {
  readonly written: string[];
  reads: boolean;
}

let told: (string | null)[];
let sink: MqttCommandSink<Client>;

beforeEach(() => {
  told = [];
  const clients: ListeningClients<Client> = {
    hasRoom: ({ reads }) => reads,
    grantedQos: () => 0,
    nextPacketId: () => 1,
    write: ({ written }, { topic }) => void written.push(String(topic)),
  };
  sink = new MqttCommandSink({ clients, onReachable: (device) => told.push(device), onIgnored: () => undefined });
});

function client(...filters: readonly string[]): Client {
  const one = { written: [], reads: true };
  sink.subscribed(one, filters);
  return one;
}

function send(device: string, requestId = 'r1') {
  const command = { requestId, device, name: 'open', params: null, timeoutMs: 1_000, deadline: 0 };
  return sink.send(command, () => undefined);
}

describe('the way of commands over MQTT', () => {
  it.each([
    ['devices/pump/commands/#', ['pump']],
    ['devices/pump/commands/open', ['pump']],
    ['devices/pump/+/open', ['pump']],
    ['devices/pump/#', ['pump']],
    ['devices/+/commands/open', [null]],
    ['+/pump/commands/open', [null]],
    ['+/+/commands/#', [null]],
  ])('takes a subscription to %s for one that acts for a device', async (filter, devices) => {
    const pump = client(filter);
    expect(told).toEqual(devices);
    expect(await send('pump')).toBe('sent');
    expect(pump.written).toEqual(['devices/pump/commands/open']);
  });

  it.each([
    'devices/pump/telemetry',
    'devices/lamp/commands/#',
    'devices/pump/commands/close',
    'devices/pump',
    'devices/pump/commands',
    'house/#',
    '+',
    '$SYS/#',
  ])('sends nothing to a subscription to %s', async (filter) => {
    const other = client(filter);
    expect(await send('pump')).toBe('unreachable');
    expect(other.written).toEqual([]);
  });

  it.each(['#', '+/#', 'devices/#', 'devices/+/#', 'devices/+/+/open'])(
    'takes %s for somebody who watches',
    async (filter) => {
      const watcher = client(filter);
      expect([told, await send('pump'), watcher.written]).toEqual([[], 'unreachable', []]);
      const pump = client('devices/pump/commands/+');
      expect(await send('pump')).toBe('sent');
      expect([watcher.written.length, pump.written.length]).toEqual([1, 1]);
    },
  );

  it('sends one copy to a client with several filters that match', async () => {
    const pump = client('#', 'devices/pump/#', 'devices/pump/commands/+');
    await send('pump');
    expect(pump.written).toHaveLength(1);
  });

  it('passes over a client that does not read, and tells when it does', async () => {
    const pump = client('devices/pump/commands/+');
    pump.reads = false;
    told.length = 0;
    expect(await send('pump')).toBe('unreachable');
    sink.drained(pump);
    sink.drained(pump);
    expect(told).toEqual(['pump']);
  });

  it('forgets a client that is gone, and filters that are given up', async () => {
    const pump = client('devices/pump/commands/+', 'devices/pump/#');
    sink.unsubscribed(pump, ['devices/pump/#', 'devices/none/#']);
    expect(await send('pump')).toBe('sent');
    sink.gone(pump);
    expect(await send('pump')).toBe('unreachable');
  });

  it('ignores the answer to a command that nobody waits for any more', async () => {
    client('devices/pump/commands/+');
    await send('pump');
    sink.forget('r1');
    const payload = Buffer.from('{"status":200}');
    sink.heard({ clientId: 'c', identity: null, topic: 'devices/pump/responses/r1', payload });
    sink.heard({ clientId: 'c', identity: null, topic: 'devices/pump/events/r1', payload });
    expect(sink.ignoredCounts).toMatchObject({ unknown_request: 1, other_device: 0 });
  });
});
