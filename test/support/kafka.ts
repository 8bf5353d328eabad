/** A real Apache Kafka 4.1.0 of its own: one combined broker and controller, own directory, free ports, loopback only. */

import { randomBytes } from 'node:crypto';
import type { Admin, ITopicConfig } from 'kafkajs';
import { freePort } from './free-port.ts';
import { withAdmin } from './kafka-admin.ts';
import { KafkaProcess, START_TIMEOUT_MS } from './kafka-process.ts';
import { type BrokerPorts, brokerProperties, type KafkaListener } from './kafka-properties.ts';
import { type KafkaRecord, readTopic } from './kafka-reader.ts';
import { waitFor } from './wait-for.ts';

export interface KafkaOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Port of a relay: a second listener (`relayTarget`) tells its clients to come back through it. */
  readonly advertisedPort?: number;
  /** Lines of server.properties, over the defaults. */
  readonly extraProperties?: Readonly<Record<string, string | number | boolean>>;
  /** Listeners beside the plain one, on ports of their own. */
  readonly listeners?: readonly KafkaListener[];
  /** Passwords of users who may log in by SCRAM. */
  readonly scramUsers?: Readonly<Record<string, string>>;
  /** It runs for many minutes, or is measured. */
  readonly isLasting?: boolean;
  /** Of Java, beside its own. */
  readonly javaOptions?: readonly string[];
}

export interface TopicOptions {
  /** Default 1. */
  readonly partitions?: number;
  readonly config?: Readonly<Record<string, string>>;
}

/** Makes directory and configuration; `start()` starts it. */
export async function prepareKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const relayTarget = await freePort();
  const { advertisedPort } = options;
  const ports = {
    broker: options.port ?? (await freePort()),
    controller: await freePort(),
    ...(advertisedPort === undefined ? {} : { relay: { port: relayTarget, advertised: advertisedPort } }),
  };
  return new Kafka(ports, relayTarget, options);
}

/** Resolves when it answers clients, after about four seconds. */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const kafka = await prepareKafka(options);
  await kafka.start();
  return kafka;
}

export class Kafka {
  readonly port: number;
  /** `host:port` for clients. */
  readonly bootstrap: string;
  /** Where a relay of `advertisedPort` should lead. */
  readonly relayTarget: number;
  readonly #process: KafkaProcess;

  constructor(ports: BrokerPorts, relayTarget: number, options: KafkaOptions) {
    this.port = ports.broker;
    this.bootstrap = `127.0.0.1:${ports.broker}`;
    this.relayTarget = relayTarget;
    this.#process = new KafkaProcess({
      properties: {
        ...brokerProperties(ports, options.listeners),
        'node.id': 1,
        'controller.quorum.bootstrap.servers': `127.0.0.1:${ports.controller}`,
        ...options.extraProperties,
      },
      isLasting: options.isLasting ?? false,
      javaOptions: options.javaOptions ?? [],
      answers: () => withAdmin([this.bootstrap], (admin) => admin.listTopics(), { retries: 0 }),
    });
    const users = scramOptions(options.scramUsers ?? {});
    this.#process.format(randomBytes(16).toString('base64url'), ['--standalone', ...users]);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Starts it, again on the same data and ports after `kill` or `shutDown`. */
  async start(): Promise<void> {
    await this.#process.start();
  }

  /** SIGKILL; data and ports stay. */
  async kill(): Promise<void> {
    await this.#process.end('SIGKILL');
  }

  /** An orderly stop; data and ports stay. */
  async shutDown(): Promise<void> {
    await this.#process.end('SIGTERM');
  }

  /** SIGKILL if it runs, then `start`. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** SIGSTOP: sockets stay open, nothing answers. */
  pause(): void {
    this.#process.signal('SIGSTOP');
  }

  /** SIGCONT. */
  resume(): void {
    this.#process.signal('SIGCONT');
  }

  /** Ends it and removes its directory. */
  async stop(): Promise<void> {
    await this.#process.remove();
  }

  async createTopic(topic: string, { partitions = 1, config = {} }: TopicOptions = {}): Promise<void> {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
    const description: ITopicConfig = { topic, numPartitions: partitions, replicationFactor: 1, configEntries };
    await this.admin(async (admin) => {
      await admin.createTopics({ topics: [description], waitForLeaders: false });
      // A new topic is known late, and its leaders are named before they lead.
      await waitFor(() => admin.fetchTopicOffsets(topic), {
        what: `a leader of ${topic}`,
        timeoutMs: START_TIMEOUT_MS,
      });
    });
  }

  async deleteTopic(topic: string): Promise<void> {
    await this.admin((admin) => admin.deleteTopics({ topics: [topic] }));
  }

  /** Records in the topic, over all partitions. */
  async countRecords(topic: string): Promise<number> {
    const offsets = await this.admin((admin) => admin.fetchTopicOffsets(topic));
    return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
  }

  /** All records of the topic, by partition and offset, read by kcat. */
  topicRecords(topic: string): Promise<KafkaRecord[]> {
    return readTopic(this.bootstrap, topic);
  }

  async admin<T>(use: (admin: Admin) => Promise<T>): Promise<T> {
    return await withAdmin([this.bootstrap], use);
  }

  /** Runs a Java class with Kafka's jars: for Kafka's own command line tools and for .java files. */
  java(...args: readonly string[]): string {
    return this.#process.java(...args);
  }

  /** Program and arguments that run a .java file with Kafka's jars; its own arguments come behind. */
  javaCommand(file: string): string[] {
    return this.#process.javaCommand(file);
  }
}

function scramOptions(users: Readonly<Record<string, string>>): string[] {
  return Object.entries(users).flatMap(([name, password]) =>
    ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name=${name},password=${password}]`,
    ]),
  );
}
