import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode } from 'cborg';
import { afterEach, describe, expect, it } from 'vitest';
import { readEventFiles } from '../support/event-files.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait-for.ts';

let gateway: GatewayProcess | undefined;

afterEach(async () => {
  await gateway?.dispose();
});

describe('a gateway with routes', () => {
  it('takes foreign firmware as it is, forwards metrics and shows them', async () => {
    const running = await GatewayProcess.create({ build: 'launcher' });
    gateway = running;
    const port = running.mqttPort;
    running.configure({
      mqtt: {
        listeners: [{ host: '127.0.0.1', port }],
        zone: 'Europe/Berlin',
        includeRoutes: ['tasmota'],
        routes: [{ topic: 'plant/+line/+device', device: '{line}-{device}', format: 'cbor' }],
      },
      uplinks: [{ name: 'out', type: 'file', directory: '{directory}/out' }],
    });
    await running.start();
    const payloads: readonly (readonly [topic: string, payload: string | Uint8Array])[] = [
      ['tele/TH16/SENSOR', '{"Time":"2026-07-01T12:00:00","AM2301":{"Temperature":22.6}}'],
      ['plant/l1/press', encode({ temp: 40.5, on: true })],
      ['plant/l1/press', 'no CBOR'],
      ['house/lamp', 'on'],
    ];
    for (const [topic, payload] of payloads) {
      const file = join(running.directory, 'payload');
      writeFileSync(file, payload);
      const args = ['-h', '127.0.0.1', '-p', String(port), '-q', '1', '-t', topic, '-f', file];
      expect(spawnSync('mosquitto_pub', args, { timeout: 10_000 }).status).toBe(0);
    }
    const lines = await waitFor(
      () => {
        const all = readEventFiles(join(running.directory, 'out'), 'test-gateway', 'telemetry');
        return all.length === 2 && all;
      },
      { what: 'both records in the file', timeoutMs: 10_000 },
    );
    expect(lines.map(({ event, value }) => [event['subject'], event['time'], String(value)])).toEqual([
      ['TH16', '2026-07-01T10:00:00.000Z', '{"AM2301.Temperature":22.6}'],
      ['l1-press', expect.any(String), '{"on":true,"temp":40.5}'],
    ]);
    expect(await running.get('/v1/devices/l1-press/telemetry/latest')).toMatchObject({
      metrics: { temp: { value: 40.5 }, on: { value: true } },
    });
  });
});
