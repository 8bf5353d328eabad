/** A real Apache Kafka 4.1.0 of its own: one combined broker and controller, own directory, free ports, loopback only. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Admin, type ITopicConfig, Kafka as KafkaJs, logLevel } from 'kafkajs';
import { freePort } from './free-port.ts';
import { kafkaJars } from './kafka-install.ts';
import { type KafkaRecord, readTopic } from './kafka-reader.ts';
import { waitFor } from './wait-for.ts';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;

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
}

export interface KafkaListener {
  /** Upper case. */
  readonly name: string;
  readonly protocol: 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
  readonly port: number;
  /** What its clients are told to come back to. Default 127.0.0.1. */
  readonly host?: string;
  /** Lines of server.properties below `listener.name.{name}.`. */
  readonly properties?: Readonly<Record<string, string>>;
}

export interface TopicOptions {
  /** Default 1. */
  readonly partitions?: number;
  readonly config?: Readonly<Record<string, string>>;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Makes directory and configuration; `start()` starts it. */
export async function prepareKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const ports = {
    broker: options.port ?? (await freePort()),
    controller: await freePort(),
    relayTarget: await freePort(),
  };
  return new Kafka(kafkaJars(), ports, options);
}

/** Resolves when it answers clients, after about four seconds. */
export async function startKafka(options: KafkaOptions = {}): Promise<Kafka> {
  const kafka = await prepareKafka(options);
  await kafka.start();
  return kafka;
}

interface Ports {
  readonly broker: number;
  readonly controller: number;
  readonly relayTarget: number;
}

export class Kafka {
  readonly port: number;
  /** `host:port` for clients. */
  readonly bootstrap: string;
  /** Where a relay of `advertisedPort` should lead. */
  readonly relayTarget: number;
  readonly directory: string;
  readonly logFile: string;
  readonly #jars: string;
  readonly #properties: string;
  #child: ChildProcess | undefined;

  constructor(jars: string, ports: Ports, options: KafkaOptions) {
    this.port = ports.broker;
    this.bootstrap = `127.0.0.1:${ports.broker}`;
    this.relayTarget = ports.relayTarget;
    this.#jars = jars;
    this.directory = mkdtempSync(join(tmpdir(), 'sluice-kafka-'));
    this.logFile = join(this.directory, 'kafka.log');
    this.#properties = join(this.directory, 'server.properties');
    const lines = Object.entries(serverProperties(this.directory, ports, options));
    writeFileSync(this.#properties, lines.map(([name, value]) => `${name}=${value}\n`).join(''));
    writeFileSync(join(this.directory, 'log4j2.properties'), LOG4J);
    this.#format(options.scramUsers ?? {});
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it, again on the same data and ports after `kill` or `shutDown`. */
  async start(): Promise<void> {
    const log = openSync(this.logFile, 'a');
    // The kernel ends the broker when this process dies, however that happens.
    const command = ['--pdeathsig', 'KILL', 'java', ...this.#java('kafka.Kafka'), this.#properties];
    const child = spawn('setpriv', command, { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    await waitFor(() => this.#answers(child), {
      what: `Kafka to answer\n${this.#logTail()}`,
      timeoutMs: START_TIMEOUT_MS,
    });
  }

  /** SIGKILL; data and ports stay. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** An orderly stop; data and ports stay. */
  async shutDown(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** SIGKILL if it runs, then `start`. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** SIGSTOP: sockets stay open, nothing answers. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  /** SIGCONT. */
  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Ends it and removes its directory. */
  async stop(): Promise<void> {
    this.resume();
    await this.#end('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
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
    const client = new KafkaJs({ brokers: [this.bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 6 } });
    const admin = client.admin();
    try {
      await admin.connect();
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }

  /** Runs a Java class with Kafka's jars: for Kafka's own command line tools and for .java files. */
  java(...args: readonly string[]): string {
    const run = spawnSync('java', this.#java(...args), { encoding: 'utf8', maxBuffer: 1 << 30 });
    if (run.status !== 0) throw new Error(`java ${args[0]} failed:\n${run.stderr}${run.stdout}`);
    return run.stdout;
  }

  /** Program and arguments that run a .java file with Kafka's jars; its own arguments come behind. */
  javaCommand(file: string): string[] {
    return ['java', ...this.#java(file)];
  }

  #java(...args: readonly string[]): string[] {
    const log4j = `-Dlog4j2.configurationFile=file:${join(this.directory, 'log4j2.properties')}`;
    return ['-Xmx512m', '-XX:+UseSerialGC', log4j, '-cp', `${this.#jars}/*`, ...args];
  }

  #format(scramUsers: Readonly<Record<string, string>>): void {
    const id = randomBytes(16).toString('base64url');
    const users = Object.entries(scramUsers).flatMap(([name, password]) =>
      ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
        '--add-scram',
        `${mechanism}=[name=${name},password=${password}]`,
      ]),
    );
    // In one word: an id may begin with a dash, and would be taken for an option.
    const how = [`--cluster-id=${id}`, '-c', this.#properties, '--standalone', ...users];
    this.java('kafka.tools.StorageTool', 'format', ...how);
  }

  async #answers(child: ChildProcess): Promise<boolean> {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`Kafka ended while starting:\n${this.#logTail()}`);
    }
    await this.admin((admin) => admin.listTopics());
    return true;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    const hard = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await exit;
    clearTimeout(hard);
  }

  #logTail(): string {
    return readFileSync(this.logFile, 'utf8').slice(-4_000);
  }
}

function serverProperties(directory: string, ports: Ports, options: KafkaOptions): Record<string, unknown> {
  const listeners = [`PLAINTEXT://127.0.0.1:${ports.broker}`];
  const advertised = [...listeners];
  if (options.advertisedPort !== undefined) {
    listeners.push(`RELAY://127.0.0.1:${ports.relayTarget}`);
    advertised.push(`RELAY://127.0.0.1:${options.advertisedPort}`);
  }
  const more = options.listeners ?? [];
  listeners.push(...more.map(({ name, port }) => `${name}://127.0.0.1:${port}`));
  advertised.push(...more.map(({ name, port, host = '127.0.0.1' }) => `${name}://${host}:${port}`));
  const protocols = ['PLAINTEXT:PLAINTEXT', 'RELAY:PLAINTEXT', 'CONTROLLER:PLAINTEXT'];
  const ofListeners = more.flatMap(({ name, properties = {} }) =>
    Object.entries(properties).map(([key, value]) => [`listener.name.${name.toLowerCase()}.${key}`, value]),
  );
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.bootstrap.servers': `127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': [...protocols, ...more.map(({ name, protocol }) => `${name}:${protocol}`)].join(
      ',',
    ),
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${ports.controller}`].join(','),
    'advertised.listeners': advertised.join(','),
    'log.dirs': join(directory, 'data'),
    // A killed broker may register again only when its session has run out; the default is nine seconds.
    'broker.session.timeout.ms': 2_000,
    'broker.heartbeat.interval.ms': 250,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'num.partitions': 1,
    'auto.create.topics.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    'offsets.topic.num.partitions': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    ...Object.fromEntries(ofListeners),
    ...options.extraProperties,
  };
}

const LOG4J = `
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c{1})%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
`;
