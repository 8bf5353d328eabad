import { afterEach, describe, expect, it } from 'vitest';
import { type MqttHarness, startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const METER = { clientId: 'm1', username: 'meter', password: 'secret' } as const;

async function setUp(): Promise<MqttHarness & { readonly watcher: RawClient; told(count: number): Promise<unknown> }> {
  const harness = await startMqtt({ devices: ['meter', 'pump'] });
  harness.access.secrets.set('meter', 'secret');
  const watcher = await RawClient.connected(harness.port, { clientId: 'watcher' });
  await watcher.subscribe(['devices/+/status', 0]);
  const told = (count: number) =>
    waitFor(() => watcher.messages().length === count, { what: `${count} statuses`, timeoutMs: 5_000 });
  return { ...harness, watcher, told };
}

afterEach(stopMqtt);

describe('the status of a device', () => {
  it('is a retained offline for all that are known at the start', async () => {
    const { watcher, told } = await setUp();
    await told(2);
    expect(watcher.messages()).toEqual(['devices/meter/status offline q0r', 'devices/pump/status offline q0r']);
  });

  it('is online from the first session that logs in as it to the end of the last', async () => {
    const { port, presence, watcher, told } = await setUp();
    const first = await RawClient.connected(port, METER);
    const second = await RawClient.connected(port, { ...METER, clientId: 'm2' });
    first.disconnect();
    await first.gone();
    const late = await RawClient.connected(port, { clientId: 'late' });
    await late.subscribe(['devices/meter/status', 0]);
    await late.next('publish');
    second.break();
    await told(4);
    expect(watcher.messages().slice(2)).toEqual(['devices/meter/status online q0', 'devices/meter/status offline q0']);
    expect(presence.told).toEqual(['meter online', 'meter offline']);
  });

  it('follows a trusted client that publishes for several devices', async () => {
    const { intake, port, presence, told } = await setUp();
    intake.refusal = (payload) => (payload === 'bad' ? 'not_json' : undefined);
    const bridge = await RawClient.connected(port, { clientId: 'bridge' });
    for (const device of ['a', 'b', 'a']) {
      bridge.send(publishBytes({ topic: `devices/${device}/telemetry`, payload: '1' }));
    }
    bridge.send(publishBytes({ topic: 'devices/c/telemetry', payload: 'bad' }));
    await told(4);
    bridge.disconnect();
    await told(6);
    expect(presence.told).toEqual(['a online', 'b online', 'a offline', 'b offline']);
  });

  it('is not left online by a message that is stored after its connection ended', async () => {
    const { intake, port, presence } = await setUp();
    const bridge = await RawClient.connected(port, { clientId: 'bridge' });
    intake.hold();
    bridge.send(publishBytes({ topic: 'devices/a/telemetry', payload: '1' }));
    await waitFor(() => intake.waitingCount === 1, { what: 'the message at the door', timeoutMs: 5_000 });
    bridge.break();
    await RawClient.connected(port, { clientId: 'bridge' });
    intake.letGo();
    await waitFor(() => intake.stored.length === 1, { what: 'the message', timeoutMs: 5_000 });
    expect(presence.told).toEqual([]);
  });
});
