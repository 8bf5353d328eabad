import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { pythonWith } from '../support/python-install.ts';
import { startCommand } from '../support/run-command.ts';
import { waitFor } from '../support/wait-for.ts';

/** Hostile and friendly requests for every route, made from the description; the same ones in every run. */
const OPTIONS = [
  '--seed=20260501',
  '--max-examples=10',
  '--phases=examples,coverage,fuzzing',
  // Slow machines are no fault of the API, and few examples are wanted.
  '--suppress-health-check=all',
  '--request-timeout=20',
  '--continue-on-failure',
  '--no-color',
  `--checks=${[
    'not_a_server_error',
    'status_code_conformance',
    'content_type_conformance',
    'response_headers_conformance',
    'response_schema_conformance',
    'allow_header_conformance',
  ].join(',')}`,
];
/** Nobody has answered a command in time: no fault of the gateway. */
const CONFIG = '[checks.not_a_server_error]\nexpected-statuses = ["2xx", "3xx", "4xx", 504]\n';
const RUN = 'from schemathesis.cli import schemathesis; schemathesis()';
const TIMEOUT_MS = 180_000;
const DEVICE = '/v1/devices/greenhouse-1';

let gateway: GatewayProcess;
let device: mqtt.MqttClient;

beforeAll(async () => {
  const uplink = { name: 'plant', type: 'file', directory: '{directory}/plant' };
  gateway = await GatewayProcess.create({ config: { uplinks: [uplink] } });
  writeFileSync(join(gateway.directory, 'schemathesis.toml'), CONFIG);
  await gateway.start();
  device = await mqtt.connectAsync(`mqtt://127.0.0.1:${gateway.mqttPort}`);
});

afterAll(async () => {
  await device.endAsync(true);
  await gateway.dispose();
});

async function send(path: string, body: string): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const place = `http://127.0.0.1:${gateway.apiPort}${path}`;
  return (await fetch(place, { method: 'POST', headers, body })).status;
}

/** A device that does all that it is asked. */
async function obey(): Promise<void> {
  device.on('message', (topic, payload) => {
    const { request_id } = JSON.parse(payload.toString()) as { request_id: string };
    device.publish(`${topic.split('/commands/')[0]}/responses/${request_id}`, '{"status":200,"result":[1]}');
  });
  await device.subscribeAsync('devices/+/commands/#');
}

/** Something to find for every route that looks. */
async function fill(): Promise<void> {
  expect(await send(`${DEVICE}/telemetry`, '[{"temperature":21.5},{"temperature":22}]')).toBe(202);
  expect(await send(`${DEVICE}/events/door`, '{"open":true}')).toBe(202);
  expect(await send(`${DEVICE}/telemetry`, '[')).toBe(422);
  const delivered = async (): Promise<boolean> =>
    JSON.stringify(await gateway.get('/v1/uplinks')).includes('"pending":0');
  await waitFor(delivered, { what: 'the records to be delivered', timeoutMs: 20_000 });
}

describe('the API', () => {
  it('is what its description says, whatever Schemathesis asks', { timeout: TIMEOUT_MS + 60_000 }, async () => {
    await fill();
    await obey();
    const description = `http://127.0.0.1:${gateway.apiPort}/openapi.json`;
    const args = ['-c', RUN, 'run', description, ...OPTIONS];
    // It leaves notes where it runs.
    const options = { timeoutMs: TIMEOUT_MS, debianPackage: 'python3-venv', cwd: gateway.directory };
    const { code, stdout, stderr } = await startCommand(pythonWith('schemathesis'), args, options).ended;
    expect(stdout).toMatch(/\d+ generated, \d+ passed/);
    expect(code, `${stdout.slice(-6_000)}${stderr}`).toBe(0);
    expect(gateway.logTail(1_000)).not.toContain('"level":"error"');
  });
});
