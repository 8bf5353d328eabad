import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LaneId } from '../../src/core/lane-log.ts';
import type { Upstream } from '../../src/core/upstream.ts';
import { FileUpstream } from '../../src/uplink/file/file-upstream.ts';
import { loadKafkaClient } from '../../src/uplink/kafka/client-library.ts';
import { createKafkaUpstream } from '../../src/uplink/kafka/create-upstream.ts';
import type { CreateKafkaClient } from '../../src/uplink/kafka/kafka-client.ts';
import type { KafkaUplinkOptions } from '../../src/uplink/options.ts';
import { readEventFiles } from '../support/event-files.ts';
import { FakeUpstream, retryable } from '../support/fake-upstream.ts';
import { freePort } from '../support/free-port.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { startTcpRelay } from '../support/tcp-relay.ts';
import {
  GATEWAY,
  IDENTITY,
  KAFKA_CLIENTS,
  kafkaOptions,
  seqOfEventId,
  topicsUnder,
  upstreamParts,
} from '../support/uplink-options.ts';
import { type UpstreamUnderTest, upstreamContract } from './upstream.suite.ts';

upstreamContract('FakeUpstream', async () => ({
  make: async () => fakeUpstream(),
  end: async () => undefined,
}));

upstreamContract('FileUpstream', async () => ({
  make: async () => fileUpstream(),
  end: async () => undefined,
}));

const DELIVERIES = ['at_least_once', 'exactly_once'] as const;

for (const [client, delivery] of KAFKA_CLIENTS.flatMap((name) => DELIVERIES.map((how) => [name, how] as const))) {
  upstreamContract(`Kafka, ${delivery} over ${client},`, async () => {
    const createClient = await loadKafkaClient(client);
    const relayPort = await freePort();
    const kafka = await startKafka({ advertisedPort: relayPort });
    let count = 0;
    return {
      make: () => {
        count += 1;
        return kafkaUpstream({ kafka, relayPort, prefix: `contract-${count}`, delivery, createClient });
      },
      end: () => kafka.stop(),
    };
  });
}

function fakeUpstream(): UpstreamUnderTest {
  const upstream = new FakeUpstream();
  return {
    upstream,
    arrived: async ({ stream }: LaneId) =>
      upstream.taken
        .filter((record) => record.stream === stream)
        .map(({ seq, value }) => ({ seq, value: Buffer.from(value) })),
    breakDown: async () => {
      upstream.fault = retryable();
    },
    mend: async () => {
      upstream.fault = undefined;
    },
    another: () => upstream,
    remove: async () => undefined,
  };
}

function fileUpstream(): UpstreamUnderTest {
  const parent = mkdtempSync(join(tmpdir(), 'sluice-file-uplink-'));
  const stick = join(parent, 'stick');
  const pulled = join(parent, 'pulled');
  // Each batch begins a file, so that a missing directory is noticed at once.
  const make = (): FileUpstream =>
    new FileUpstream({ ...upstreamParts(), ...IDENTITY, directory: join(stick, 'records'), rotateBytes: 1 });
  mkdirSync(stick);
  return {
    upstream: make(),
    arrived: async ({ stream }: LaneId) => readEventFiles(join(stick, 'records'), GATEWAY, stream),
    breakDown: async () => renameSync(stick, pulled),
    mend: async () => renameSync(pulled, stick),
    another: make,
    remove: async () => rmSync(parent, { recursive: true, force: true }),
  };
}

interface KafkaSubject {
  readonly kafka: Kafka;
  readonly relayPort: number;
  readonly prefix: string;
  readonly delivery: KafkaUplinkOptions['delivery'];
  readonly createClient: CreateKafkaClient;
}

async function kafkaUpstream(subject: KafkaSubject): Promise<UpstreamUnderTest> {
  const { kafka, relayPort, prefix, delivery, createClient } = subject;
  const relay = await startTcpRelay(kafka.relayTarget, relayPort);
  const options = kafkaOptions({
    brokers: [`127.0.0.1:${relay.port}`],
    delivery,
    // Names at Kafka hold it; no test may find what another one left.
    name: prefix,
    topics: topicsUnder(prefix),
    createTopics: true,
    connectionTimeout: 3_000,
  });
  const make = (): Upstream => createKafkaUpstream({ ...options, ...upstreamParts(), ...IDENTITY, createClient });
  return {
    upstream: make(),
    arrived: async ({ stream }: LaneId) => {
      const records = await kafka.topicRecords(`${prefix}.${stream}`);
      return records.map(({ headers, value }) => ({ seq: seqOfEventId(headers['ce_id']), value }));
    },
    breakDown: () => relay.refuse(),
    mend: () => relay.accept(),
    another: make,
    remove: () => relay.close(),
  };
}
