import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteLogReader } from '../../src/store/log/reader.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { countStore } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const ALL = { maxRecords: 100_000, maxBytes: 2 ** 30 };

let gateway: GatewayProcess;

afterEach(() => gateway.dispose());

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { readonly [name: string]: unknown };
}

async function post(path: string, body: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${gateway.apiPort}${path}`, {
    method: 'POST',
    body,
    headers: { ...JSON_TYPE, ...headers },
    signal: AbortSignal.timeout(30_000),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] };
}

/** What the log of the stopped gateway holds. */
function stored(stream: 'telemetry' | 'events'): { seq: number; device: string; value: string }[] {
  const reader = new SqliteLogReader(join(gateway.dataDir, 'log.db'));
  const { records } = reader.read(stream, 0, ALL);
  reader.close();
  return records.map(({ seq, device, value }) => ({ seq, device, value: Buffer.from(value).toString() }));
}

describe('records over HTTP', () => {
  beforeEach(async () => {
    gateway = await GatewayProcess.create();
    await gateway.start();
  });

  it('are stored as they came, are the latest values, and are counted', async () => {
    const one = await post('/v1/devices/d1/telemetry', '{"temperature":21.50}');
    const batch = await post('/v1/devices/d1/telemetry', '[{"a":1}, {"a":2.0}]');
    const event = await post('/v1/devices/d1/events/door', '"open"');
    expect([one.status, batch.status, event.status]).toEqual([202, 202, 202]);
    expect(batch.body).toMatchObject({ count: 2, last_seq: Number(batch.body['first_seq']) + 1 });
    expect(await gateway.get('/v1/devices/d1/telemetry/latest')).toMatchObject({
      metrics: { temperature: { value: 21.5 }, a: { value: 2 } },
    });
    await gateway.stop();
    expect(stored('telemetry').map(({ value }) => value)).toEqual(['{"temperature":21.50}', '{"a":1}', '{"a":2.0}']);
    expect(stored('events')).toEqual([{ seq: event.body['first_seq'], device: 'd1', value: '"open"' }]);
  });

  it('that are refused are kept aside and counted like those over MQTT', async () => {
    const refused = await post('/v1/devices/d1/telemetry', '{"t":');
    const event = await post('/v1/devices/d1/events/door', 'open');
    expect([refused.body, event.body]).toMatchObject(
      Array(2).fill({ type: '/problems/payload_refused', detail: expect.stringContaining('invalid_json') }),
    );
    const counted = { messages: { refused: [{ source: 'http', reason: 'invalid_json', count: 2 }] } };
    expect(await gateway.get('/v1/gateway')).toMatchObject(counted);
    await waitFor(async () => ((await gateway.get('/v1/buffer')) as { refused: number }).refused === 2, {
      what: 'the refused messages in the buffer',
      timeoutMs: 10_000,
    });
    const metrics = await (await fetch(`http://127.0.0.1:${gateway.apiPort}/metrics`)).text();
    expect(metrics).toContain('sluice_messages_refused_total{source="http",reason="invalid_json"} 2');
  });

  it('come once with an idempotency key, also when many repeats come at once', async () => {
    const headers = { 'idempotency-key': '"once"' };
    const first = await post('/v1/devices/d1/telemetry', '{"t":1}', headers);
    for (let round = 0; round < 10; round += 1) {
      const repeats = await Promise.all(
        Array.from({ length: 30 }, () => post('/v1/devices/d1/telemetry', '{"t":1}', headers)),
      );
      for (const repeat of repeats) expect([repeat.status, repeat.body]).toEqual([202, first.body]);
    }
    expect((await post('/v1/devices/d1/telemetry', '{"t":2}', headers)).status).toBe(422);
    await gateway.stop();
    expect(stored('telemetry')).toHaveLength(1);
  });
});

describe('a gateway that is killed between the disk and the answer', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-died-'));
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** Sends until it is answered; the gateway is started again each time that it died. */
  async function sendWithKills(modules: readonly string[]): Promise<Answer> {
    const nodeOptions = modules.flatMap((module) => ['--import', new URL(module, import.meta.url).href]);
    gateway = await GatewayProcess.create({ nodeOptions, env: { SLUICE_TEST_DIED: join(directory, 'died') } });
    await gateway.start();
    const send = () => post('/v1/devices/d1/telemetry', '{"t":1}', { 'idempotency-key': '"k"' });
    await expect(send()).rejects.toThrow();
    expect(await gateway.exited()).toEqual({ code: null, signal: 'SIGKILL' });
    await gateway.start();
    const answer = await send();
    await gateway.stop();
    expect(countStore(gateway.dataDir, { deep: true }).problems).toEqual([]);
    return answer;
  }

  it('recognises the repeat: the same seq, and no second record', async () => {
    const { status, headers, body } = await sendWithKills(['../support/die-before-answer.ts']);
    const [record, ...others] = stored('telemetry');
    expect([status, body['first_seq'], headers.get('idempotent-replayed')]).toEqual([202, record?.seq, 'true']);
    expect(others).toEqual([]);
  });

  it('stores it twice when it forgets the keys: this test would notice', async () => {
    const { status } = await sendWithKills(['../crash/forget-keys.ts', '../support/die-before-answer.ts']);
    expect([status, stored('telemetry').length]).toEqual([202, 2]);
  });
});

describe('a full store', () => {
  it('answers 503 with Retry-After while nothing can be stored, and 202 with the same key afterwards', async () => {
    const config = { buffer: { keepFree: '0B', maxBytes: '1MiB', whenFull: 'block' }, http: { storeTimeout: '500ms' } };
    gateway = await GatewayProcess.create({
      config: { ...config, uplinks: [{ name: 'u', type: 'kafka', brokers: ['127.0.0.1:1'] }] },
    });
    await gateway.start();
    const large = JSON.stringify({ text: 'x'.repeat(40_000) });
    const headers = (key: number) => ({ 'idempotency-key': `"${key}"` });
    let key = 0;
    const full = await waitFor(
      async () => {
        key += 1;
        const answer = await post('/v1/devices/d1/telemetry', large, headers(key));
        return answer.status !== 202 && answer;
      },
      { what: 'the store to be full', everyMs: 1, timeoutMs: 30_000 },
    );
    expect([full.status, full.headers.get('retry-after')]).toEqual([503, '5']);
    await gateway.stop();
    gateway.configure({ ...config, buffer: { ...config.buffer, maxBytes: '64MiB' } });
    await gateway.start();
    expect((await post('/v1/devices/d1/telemetry', large, headers(key))).status).toBe(202);
    expect((await post('/v1/devices/d1/telemetry', large, headers(1))).headers.get('idempotent-replayed')).toBe('true');
    await gateway.stop();
    expect(stored('telemetry')).toHaveLength(key);
  });
});
