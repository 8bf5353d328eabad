import { Buffer } from 'node:buffer';
import { afterEach, describe, expect, it } from 'vitest';
import { startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const KIB = 1024;
const LARGE = Buffer.alloc(200 * KIB, 'x');
const SMALL = Buffer.from('{"a":1}');
const BATCH = Buffer.from(`[${Array(10_000).fill('{"a":1}').join()}]`);
const UNAVAILABLE = 3;

afterEach(stopMqtt);

describe('while nothing can be stored', () => {
  it.each([
    ['large messages', 'devices/meter/telemetry', LARGE, (64 * KIB) / 200],
    ['batches, which take far more memory than bytes', 'devices/meter/telemetry', BATCH, 20],
    ['messages that are not allowed', '$SYS/meter', LARGE, (64 * KIB) / 200],
    ['small messages, each of which keeps its connection in memory', 'devices/meter/telemetry', SMALL, 3_000],
  ])(
    'clients that come back and send %s again do not fill the memory, and are let in once it is over',
    async (...row) => {
      const [, topic, payload, maxWaitingCount] = row;
      const { intake, port } = await startMqtt();
      intake.hold();
      const message = publishBytes({ topic, payload, qos: 1, packetId: 1 });
      let code: number | undefined = 0;
      let rounds = 0;
      for (; code === 0 && rounds < 4_000; rounds += 1) {
        const client = await RawClient.open(port);
        code = await client.connect({ clientId: 'meter' });
        const before = intake.waitingCount;
        if (code === 0) client.send(message);
        const arrived = () => code !== 0 || intake.waitingCount > before;
        await waitFor(arrived, { what: 'the message at the door', timeoutMs: 5_000, everyMs: 1 });
        client.break();
      }
      expect(code).toBe(UNAVAILABLE);
      expect(intake.waitingCount).toBeLessThan(maxWaitingCount);
      intake.letGo();
      const client = await RawClient.connected(port, { clientId: 'meter' });
      client.send(message);
      await client.next('puback');
    },
  );
});
