import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startBrowser } from '../support/browser.ts';
import { startMqtt, stopMqtt } from '../support/mqtt-harness.ts';

const require = createRequire(import.meta.url);
const MQTT_JS = join(dirname(require.resolve('mqtt/package.json')), 'dist/mqtt.min.js');

let browser: Browser;
let site: Server;
let origin: string;

beforeAll(async () => {
  browser = await startBrowser();
  site = createServer((request, response) => {
    const isScript = request.url === '/mqtt.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? readFileSync(MQTT_JS) : '<!doctype html><script src="/mqtt.js"></script>');
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
});
afterEach(stopMqtt);
afterAll(async () => {
  await browser?.close();
  site?.close();
});

/** What becomes of a page of the site that publishes 50 messages at once: `acknowledged`, or `closed`. */
async function publishFrom(page: Page, port: number): Promise<string> {
  await page.goto(origin);
  return await page.evaluate<string>(`new Promise((resolve) => {
    const client = mqtt.connect('ws://127.0.0.1:${port}/mqtt', { reconnectPeriod: 0 });
    client.on('close', () => resolve('closed'));
    client.on('connect', async () => {
      const payloads = Array.from({ length: 50 }, (_, n) => String(n).padEnd(8_000, 'x'));
      await Promise.all(payloads.map((payload) => client.publishAsync('devices/page/telemetry', payload, { qos: 1 })));
      resolve('acknowledged');
      client.end();
    });
  })`);
}

describe('a web page', () => {
  it('publishes over WebSocket when its origin is allowed', async () => {
    const listener = { host: '127.0.0.1', port: 0, anonymous: true, websocket: true, allowedOrigins: [origin] };
    const { port, intake } = await startMqtt({ mqtt: { listeners: [listener] } });
    expect(await publishFrom(await browser.newPage(), port)).toBe('acknowledged');
    expect(intake.payloads().map((payload) => payload.replaceAll('x', ''))).toEqual(
      Array.from({ length: 50 }, (_, n) => `${n}`),
    );
  });

  it('of a foreign origin publishes nothing, although everybody on this machine may', async () => {
    const listener = { host: '127.0.0.1', port: 0, anonymous: true, websocket: true };
    const { port, intake, logger } = await startMqtt({ mqtt: { listeners: [listener] } });
    expect(await publishFrom(await browser.newPage(), port)).toBe('closed');
    expect(intake.stored).toEqual([]);
    expect(logger.lines.at(-1)?.fields).toMatchObject({ status: 403, reason: `a page of ${origin} may not connect` });
  });
});
