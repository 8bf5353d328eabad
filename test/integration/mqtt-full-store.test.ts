import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, it } from 'vitest';
import { startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const PAYLOAD = Buffer.alloc(200 * 1024, 'x');
const UNAVAILABLE = 3;

afterEach(stopMqtt);

describe('while nothing can be stored', () => {
  it('clients that come back and send again do not fill the memory, and are let in once it is over', async () => {
    const { intake, port } = await startMqtt();
    intake.hold();
    const message = publishBytes({ topic: 'devices/meter/telemetry', payload: PAYLOAD, qos: 1, packetId: 1 });
    let code: number | undefined = 0;
    let rounds = 0;
    for (; code === 0 && rounds < 400; rounds += 1) {
      const client = await RawClient.open(port);
      code = await client.connect({ clientId: 'meter' });
      const before = intake.waitingCount;
      if (code === 0) client.send(message);
      const arrived = () => code !== 0 || intake.waitingCount > before;
      await waitFor(arrived, { what: 'the message at the door', timeoutMs: 5_000, everyMs: 1 });
      client.break();
    }
    expect(code).toBe(UNAVAILABLE);
    expect(intake.waitingCount * PAYLOAD.length).toBeLessThan(64 * 1024 * 1024);
    intake.letGo();
    const client = await RawClient.connected(port, { clientId: 'meter' });
    client.send(message);
    await client.next('puback');
  });
});
