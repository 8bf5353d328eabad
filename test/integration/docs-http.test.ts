import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { writeRejectedStore } from '../support/rejected-store.ts';

const PAGE = readFileSync(resolve(import.meta.dirname, '../../docs/http.md'), 'utf8');
const DOCUMENTED = 'http://127.0.0.1:8080';

interface Example {
  readonly command: string;
  /** What the page shows as the answer, if it shows one. */
  readonly answer: string | undefined;
}

/** The page's shell blocks, each with the JSON block that follows it directly. */
function examples(): Example[] {
  const found = PAGE.matchAll(/```sh\n([\s\S]*?)```(?:\n\n```json\n([\s\S]*?)```)?/g);
  return [...found].map(([, command = '', answer]) => ({ command, answer }));
}

/** The names in a document, at any depth; an array counts with its first element. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shape);
  if (typeof value !== 'object' || value === null) return 'value';
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shape(member)]));
}

describe('docs/http.md', () => {
  let gateway: GatewayProcess;

  beforeAll(async () => {
    gateway = await GatewayProcess.create({
      config: { uplinks: [{ name: 'plant', type: 'file', directory: '{directory}/upstream' }] },
    });
    await writeRejectedStore(gateway.dataDir);
    writeFileSync(join(gateway.directory, '.curlrc'), 'silent\nfail-with-body\n');
    await gateway.start();
    await fetch(`http://127.0.0.1:${gateway.apiPort}/v1/devices/greenhouse-1/telemetry`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"t":',
    });
  });

  afterAll(() => gateway.dispose());

  // The examples build on each other: one test for all, in the order of the page.
  it('has only examples that work, and answers as it shows them', () => {
    expect(examples().length).toBeGreaterThan(3);
    for (const { command, answer } of examples()) {
      const { status, stdout } = spawnSync('sh', ['-e'], {
        input: command.replaceAll(DOCUMENTED, `http://127.0.0.1:${gateway.apiPort}`),
        env: { ...process.env, CURL_HOME: gateway.directory },
        encoding: 'utf8',
      });
      expect([status, command, stdout]).toEqual([0, command, stdout]);
      if (answer !== undefined) expect(shape(JSON.parse(stdout))).toEqual(shape(JSON.parse(answer)));
    }
  });
});
