/**
 * How many requests for the newest values of a device are answered, in turn with node:http with nothing around it, while
 * 1,000 MQTT messages a second come in, and what that does to their acknowledgements.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { freePort } from '../support/free-port.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type LoadResult, runLoad } from '../support/mqtt-load.ts';
import type { HttpLoadResult } from './http-load.ts';
import { PeerProcess } from './peer-process.ts';
import { measured, median, say, table, thousands, verdict } from './report.ts';

export interface ApiOptions {
  readonly rounds: number;
}

type Case = 'none' | 'bare' | 'sluice';

interface Round {
  readonly http: HttpLoadResult | undefined;
  readonly mqtt: LoadResult;
}

const MQTT_PER_S = 1_000;
const DEVICE = 'c0';
const PATH = `/v1/devices/${DEVICE}/telemetry/latest`;
const CONNECTIONS = 8;
const ROUND_MS = 10_000;
const WARM_UP_MS = 3_000;
const AIM_RATIO = 0.5;
const AIM_ACK_RATIO = 2;
/** Without HTTP load, acknowledgements of some tenths of a millisecond differ for any reason. */
const ACK_FLOOR_MS = 1;

export async function benchApi({ rounds }: ApiOptions): Promise<boolean> {
  const results: Record<Case, Round[]> = { none: [], bare: [], sluice: [] };
  const gateway = await GatewayProcess.create({ build: 'launcher' });
  let peer: PeerProcess | undefined;
  try {
    await gateway.start();
    await runLoad({ ...mqttShape(gateway), messageCount: MQTT_PER_S });
    const bare = await freePort();
    peer = await startBare(bare, JSON.stringify(await gateway.get(PATH)));
    const ports: Readonly<Record<Case, number | undefined>> = { none: undefined, bare, sluice: gateway.apiPort };
    let asked = 0;
    for (const each of ['bare', 'sluice'] as const) asked += await warmUp(ports[each], each);
    for (let round = 1; round <= rounds; round += 1) {
      for (const each of ['none', 'bare', 'sluice'] as const) {
        const result = await underMqtt(gateway, () => httpLoad(ports[each], ROUND_MS));
        results[each].push(result);
        if (each === 'sluice') asked += result.http?.requestCount ?? 0;
        measured('api', { http: each, round, ...flat(result) });
      }
    }
    await checkCounts(gateway, asked);
  } finally {
    await peer?.stop();
    await gateway.dispose();
  }
  return report(results);
}

function mqttShape({ mqttPort: port }: GatewayProcess) {
  return { port, clientCount: 10, inFlight: 100, payloadBytes: 64 };
}

async function startBare(port: number, body: string): Promise<PeerProcess> {
  const peer = new PeerProcess(process.execPath, [join(import.meta.dirname, 'bare-http.ts'), String(port), body]);
  await peer.says('listening');
  return peer;
}

async function warmUp(port: number | undefined, each: Case): Promise<number> {
  const result = await httpLoad(port, WARM_UP_MS);
  return each === 'sluice' ? (result?.requestCount ?? 0) : 0;
}

async function underMqtt(gateway: GatewayProcess, work: () => Promise<HttpLoadResult | undefined>): Promise<Round> {
  const stop = new AbortController();
  const load = runLoad({ ...mqttShape(gateway), ratePerS: MQTT_PER_S, signal: stop.signal });
  const http = await work();
  stop.abort();
  return { http, mqtt: await load };
}

async function httpLoad(port: number | undefined, durationMs: number): Promise<HttpLoadResult | undefined> {
  if (port === undefined) {
    await new Promise((resolve) => setTimeout(resolve, durationMs));
    return undefined;
  }
  const args = [join(import.meta.dirname, 'http-load.ts'), port, PATH, CONNECTIONS, durationMs].map(String);
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return JSON.parse(output) as HttpLoadResult;
}

function flat({ http, mqtt }: Round) {
  const { requestsPerS = 0, p50Ms = null, p99Ms = null } = http ?? {};
  const { ackedPerS, p50Ms: ackP50Ms, p99Ms: ackP99Ms } = mqtt;
  return { requestsPerS, p50Ms, p99Ms, ackedPerS, ackP50Ms, ackP99Ms };
}

/** Every answer that was counted here, the gateway has counted too. */
async function checkCounts(gateway: GatewayProcess, asked: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${gateway.apiPort}/metrics`);
  const line = (await response.text())
    .split('\n')
    .find((each) => /^sluice_http_request_duration_seconds_count\{.*latest.*status="200"/.test(each));
  const answered = Number(line?.split(' ').at(-1)) - 1;
  if (answered !== asked) throw new Error(`${answered} requests answered, ${asked} received an answer`);
}

function report({ none, bare, sluice }: Readonly<Record<Case, readonly Round[]>>): boolean {
  const rate = (of: readonly Round[]) => median(of.map(({ http }) => http?.requestsPerS ?? 0));
  const ackP99 = (of: readonly Round[]) => median(of.map(({ mqtt }) => mqtt.p99Ms));
  const ratio = rate(sluice) / rate(bare);
  const ackRatio = ackP99(sluice) / Math.max(ackP99(none), ACK_FLOOR_MS);
  const met = verdict(ratio, AIM_RATIO, 'higher');
  const ackMet = verdict(ackRatio, AIM_ACK_RATIO, 'lower');
  const row = (name: string, of: readonly Round[], ratios: readonly string[]): string[] => [
    name,
    thousands(rate(of)),
    of[0]?.http === undefined ? '' : `${median(of.map(({ http }) => http?.p99Ms ?? 0)).toFixed(1)} ms`,
    `${ackP99(of).toFixed(1)} ms`,
    ...ratios,
  ];
  say(
    table(
      [
        `latest, ${CONNECTIONS} connections, MQTT at ${thousands(MQTT_PER_S)}/s`,
        'requests/s',
        'p99',
        'ack p99',
        'ratio',
        `aim ≥ ${AIM_RATIO}`,
        'ack ratio',
        `aim ≤ ${AIM_ACK_RATIO}`,
      ],
      [
        row('no HTTP', none, ['', '', '1', '']),
        row('bare node:http beside it', bare, ['1', '', '', '']),
        row('sluice', sluice, [ratio.toFixed(2), met, ackRatio.toFixed(2), ackMet]),
      ],
    ),
  );
  return met === 'met' && ackMet === 'met';
}
