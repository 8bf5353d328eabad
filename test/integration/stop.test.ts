import { connectAsync } from 'mqtt';
import { afterEach, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait-for.ts';

let gateway: GatewayProcess | undefined;

afterEach(() => gateway?.dispose());

it('a gateway that can store nothing stops in order all the same', async () => {
  gateway = await GatewayProcess.create({ config: { buffer: { keepFree: '16TiB' } } });
  const { mqttPort } = gateway;
  gateway.launch();
  const connect = () => connectAsync(`mqtt://127.0.0.1:${mqttPort}`, { reconnectPeriod: 0 }, false);
  const client = await waitFor(connect, { what: 'the broker', timeoutMs: 20_000 });
  let isAcknowledged = false;
  await waitFor(() => gateway?.logTail().includes('nothing can be stored'), {
    what: 'a full store',
    timeoutMs: 20_000,
  });
  client.publish('devices/kitchen/telemetry', '{"temperature":21.5}', { qos: 1 }, (error) => {
    isAcknowledged = error === undefined || error === null;
  });
  // Its answer says that the broker has what was sent before.
  await client.subscribeAsync('local');
  const exit = await gateway.stop();
  expect({ exit, isAcknowledged, log: gateway.logTail() }).toEqual({
    exit: { code: 0, signal: null },
    isAcknowledged: false,
    log: expect.stringContaining('stopped'),
  });
  client.end(true);
});
