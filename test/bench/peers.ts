/** Starts the programs that Sluice is measured beside, with the configurations that are committed here. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { listening, PeerProcess } from './peer-process.ts';

export const TELEGRAF_INSTALL =
  'go install -tags "custom,inputs.mqtt_consumer,outputs.kafka,parsers.json_v2,serializers.json" ' +
  'github.com/influxdata/telegraf/cmd/telegraf@v1.39.3';

export interface Peer {
  readonly port: number;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'sluice-bench-'));
}

export async function startMosquitto(): Promise<Peer> {
  const directory = temporaryDirectory();
  const port = await freePort();
  const file = join(directory, 'mosquitto.conf');
  const settings = readFileSync(join(import.meta.dirname, 'mosquitto.conf'), 'utf8');
  writeFileSync(file, `listener ${port} 127.0.0.1\n${settings}`);
  const peer = new PeerProcess('mosquitto', ['-c', file]);
  await listening(port).catch((cause: unknown) => {
    throw new Error('mosquitto does not start; is it installed? (Debian: apt-get install mosquitto)', { cause });
  });
  return {
    port,
    pids: [peer.pid],
    stop: async () => {
      await peer.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export interface TelegrafOptions {
  readonly mqttPort: number;
  readonly kafkaBroker: string;
  readonly topic: string;
  readonly buffer: 'memory' | 'disk';
}

/** @throws Error with the command that installs it, when there is no Telegraf in `$TELEGRAF` or on PATH. */
export function telegrafBinary(): string {
  const binary = process.env['TELEGRAF'] ?? 'telegraf';
  const run = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  if (run.status === 0) return binary;
  throw new Error(`no Telegraf found: set TELEGRAF to its path, or install it (Go 1.26 or newer): ${TELEGRAF_INSTALL}`);
}

export async function startTelegraf(options: TelegrafOptions): Promise<Peer> {
  const directory = temporaryDirectory();
  const file = join(directory, 'telegraf.conf');
  const settings = readFileSync(join(import.meta.dirname, 'telegraf.conf'), 'utf8')
    .replace('BUFFER_STRATEGY', options.buffer)
    .replace('BUFFER_DIRECTORY', join(directory, 'buffer'))
    .replace('MQTT_PORT', String(options.mqttPort))
    .replace('KAFKA_BROKER', options.kafkaBroker)
    .replace('KAFKA_TOPIC', options.topic);
  writeFileSync(file, settings);
  const peer = new PeerProcess(telegrafBinary(), ['--config', file]);
  await peer.says('Connected [tcp:');
  return {
    port: options.mqttPort,
    pids: [peer.pid],
    stop: async () => {
      await peer.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
