import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { writeRejectedStore } from '../support/rejected-store.ts';
import { countStore } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';

let gateway: GatewayProcess;

afterEach(() => gateway.dispose());

function linesOf(uplink: string): Record<string, unknown>[] {
  const folder = join(gateway.directory, uplink);
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ndjson'));
  return files.flatMap((file) =>
    readFileSync(join(folder, file), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>),
  );
}

describe('a reject that is tried again', () => {
  it('reaches the uplink that rejected it, names the old record there, and reaches no other one twice', async () => {
    const uplinks = ['plant', 'stick'].map((name) => ({ name, type: 'file', directory: `{directory}/${name}` }));
    gateway = await GatewayProcess.create({ config: { uplinks } });
    await writeRejectedStore(gateway.dataDir);
    await gateway.start();
    const url = `http://127.0.0.1:${gateway.apiPort}/v1/rejects/2/retry`;
    const response = await fetch(url, { method: 'POST' });
    const retried = (await response.json()) as { seq: number };
    expect([response.status, retried]).toMatchObject([202, { retry_of: { uplink: 'plant', seq: 2 } }]);
    expect((await fetch(url, { method: 'POST' })).status).toBe(404);
    const arrived = () => linesOf('plant').length === 1 && linesOf('stick').length === 2;
    await waitFor(arrived, { what: 'the records to arrive', timeoutMs: 20_000 });
    expect(await gateway.get(`/v1/records/${retried.seq}`)).toMatchObject({ retry_of: { uplink: 'plant', seq: 2 } });
    expect(await gateway.get('/v1/devices/camera/telemetry/latest')).toMatchObject({
      metrics: { temperature: { seq: 2 } },
    });
    await gateway.stop();
    const [line] = linesOf('plant');
    expect(line?.['id']).toMatch(new RegExp(`:${String(retried.seq).padStart(20, '0')}$`));
    expect(line?.['retryof']).toMatch(/^test-gateway:[0-9a-f]+:00000000000000000002$/);
    expect(linesOf('stick').map((event) => event['retryof'])).toEqual([undefined, undefined]);
    const { lanes, problems } = countStore(gateway.dataDir, { deep: true });
    expect(problems).toEqual([]);
    expect(lanes.filter(({ stream }) => stream === 'telemetry')).toMatchObject([
      { uplink: 'plant', acceptedCount: 3, deliveredCount: 1, rejectedCount: 2, pendingCount: 0 },
      { uplink: 'stick', acceptedCount: 2, deliveredCount: 2, rejectedCount: 0, pendingCount: 0 },
    ]);
  });
});
