/** Time to the first CONNACK and resident memory: empty, at work, and with a million records pending. */

import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../support/free-port.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { runLoad } from '../support/mqtt-load.ts';
import { countStore, progress } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';
import { fillBacklog } from './backlog.ts';
import { firstConnackMs } from './first-connack.ts';
import { UsageWatch } from './process-usage.ts';
import { measured, median, say, table, verdict } from './report.ts';

export interface SizeOptions {
  readonly rounds: number;
  readonly records: number;
  /** Messages of the load that goes as fast as it is acknowledged. */
  readonly messages: number;
}

interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: 'ms' | 'MB';
  readonly aim: number;
}

const SETTLE_MS = 5000;
const IDLE_MS = 15_000;
const STEADY_MS = 30_000;

export async function benchSize(options: SizeOptions): Promise<boolean> {
  const rows = [...(await startEmpty(options)), ...(await atWork(options)), ...(await withBacklog(options))];
  for (const row of rows) measured('size', { ...row });
  say(
    table(
      ['start and size', 'measured', 'aim', ''],
      rows.map(({ what, value, unit, aim }) => [
        what,
        `${value} ${unit}`,
        `≤ ${aim} ${unit}`,
        verdict(value, aim, 'lower'),
      ]),
    ),
  );
  return rows.every(({ value, aim }) => value <= aim);
}

function kafkaUplink(broker: string): Readonly<Record<string, unknown>> {
  return { name: 'bench', type: 'kafka', brokers: [broker], createTopics: true };
}

async function startEmpty({ rounds }: SizeOptions): Promise<Row[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const gateway = await GatewayProcess.create({ build: 'launcher' });
    try {
      times.push(await firstConnackMs(gateway));
      await gateway.stop('SIGTERM');
    } finally {
      await gateway.dispose();
    }
  }
  return [{ what: 'first CONNACK, empty', value: median(times), unit: 'ms', aim: 700 }];
}

async function atWork({ messages }: SizeOptions): Promise<Row[]> {
  const kafka = await startKafka({ isLasting: true });
  const uplinks = [kafkaUplink(kafka.bootstrap)];
  const gateway = await GatewayProcess.create({ build: 'launcher', config: { uplinks } });
  try {
    await gateway.start();
    const port = gateway.mqttPort;
    const shape = { port, clientCount: 20, inFlight: 20, payloadBytes: 150 };
    await delay(SETTLE_MS);
    const idle = await peakMb(gateway, () => delay(IDLE_MS));
    const signal = AbortSignal.timeout(STEADY_MS);
    const steady = await peakMb(gateway, () => runLoad({ ...shape, ratePerS: 1000, signal }));
    const flatOut = await peakMb(gateway, () => runLoad({ ...shape, messageCount: messages }));
    await verifyDelivered(gateway, kafka);
    return [
      { what: 'RSS idle', value: idle, unit: 'MB', aim: 140 },
      { what: 'RSS at 1,000 messages/s to Kafka', value: steady, unit: 'MB', aim: 170 },
      { what: 'RSS flat out to Kafka', value: flatOut, unit: 'MB', aim: 230 },
    ];
  } finally {
    await gateway.dispose();
    await kafka.stop();
  }
}

async function verifyDelivered(gateway: GatewayProcess, kafka: Kafka): Promise<void> {
  const drained = (): boolean => progress(gateway.dataDir).pending === 0;
  await waitFor(drained, { what: 'everything to be delivered', timeoutMs: 60_000 });
  await gateway.stop('SIGTERM');
  const { problems, storedCount } = countStore(gateway.dataDir);
  const arrived = await kafka.countRecords('sluice.telemetry');
  if (problems.length > 0) throw new Error(problems.join('\n'));
  if (arrived !== storedCount) throw new Error(`${storedCount} stored, ${arrived} in Kafka`);
}

async function withBacklog({ rounds, records }: SizeOptions): Promise<Row[]> {
  const uplinks = [kafkaUplink(`127.0.0.1:${await freePort()}`)];
  const gateway = await GatewayProcess.create({ build: 'launcher', config: { uplinks } });
  try {
    await gateway.start();
    await fillBacklog(gateway, records);
    await gateway.stop('SIGKILL');
    const afterKill = await firstConnackMs(gateway);
    await gateway.ready();
    await gateway.stop('SIGTERM');
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      times.push(await firstConnackMs(gateway));
      await gateway.ready();
      if (round < rounds - 1) await gateway.stop('SIGTERM');
    }
    await delay(SETTLE_MS);
    const pending = await peakMb(gateway, () => delay(IDLE_MS));
    const { problems, storedCount } = await stopAndCount(gateway);
    if (problems.length > 0 || storedCount < records)
      throw new Error([`${storedCount} stored`, ...problems].join('\n'));
    const name = `${records / 1e6} M pending`;
    return [
      { what: `first CONNACK, ${name}`, value: median(times), unit: 'ms', aim: 1500 },
      { what: `first CONNACK, ${name}, after SIGKILL`, value: afterKill, unit: 'ms', aim: 1500 },
      { what: `RSS, ${name}`, value: pending, unit: 'MB', aim: 170 },
    ];
  } finally {
    await gateway.dispose();
  }
}

async function stopAndCount(gateway: GatewayProcess): Promise<ReturnType<typeof countStore>> {
  await gateway.stop('SIGTERM');
  return countStore(gateway.dataDir);
}

async function peakMb(gateway: GatewayProcess, work: () => Promise<unknown>): Promise<number> {
  const watch = new UsageWatch([gateway.pid ?? 0]);
  await work();
  return watch.stop().peakRssMb;
}
