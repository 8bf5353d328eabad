/** A real Apache Kafka of three brokers that are controllers too, each a process of its own, on loopback only. */

import { randomBytes } from 'node:crypto';
import { Base, FindCoordinatorKeyTypes, findCoordinatorV3 } from '@platformatic/kafka';
import type { PartitionMetadata } from 'kafkajs';
import { freePort } from './free-port.ts';
import { withAdmin } from './kafka-admin.ts';
import { KafkaProcess } from './kafka-process.ts';
import { brokerProperties, internalTopics } from './kafka-properties.ts';
import { startCommand } from './run-command.ts';
import { waitFor } from './wait-for.ts';

/** So that three fit beside a gateway. */
const HEAP_MB = 256;
export const BROKER_COUNT = 3;
const MIN_IN_SYNC = 2;
const INTERNAL = { partitions: 3, replicas: BROKER_COUNT, minInSync: MIN_IN_SYNC };
/** Where Kafka keeps transactions and positions; made when they are first used. */
export const TRANSACTION_TOPICS = ['__transaction_state', '__consumer_offsets'];
const TIMEOUT_MS = 60_000;
const { GROUP, TRANSACTION } = FindCoordinatorKeyTypes;
const ELECTION = 'org.apache.kafka.tools.LeaderElectionCommand';
const ELECT = ['--election-type', 'preferred', '--all-topic-partitions'];

interface Node {
  /** `host:port` for clients. */
  readonly address: string;
  readonly process: KafkaProcess;
}

/** Brokers are called by their Kafka ids, from 1. */
export class KafkaCluster {
  readonly #nodes: ReadonlyMap<number, Node>;

  private constructor(nodes: ReadonlyMap<number, Node>) {
    this.#nodes = nodes;
  }

  /** Resolves when all brokers answer. */
  static async start(): Promise<KafkaCluster> {
    const cluster = new KafkaCluster(await prepareNodes());
    try {
      await Promise.all([...cluster.#nodes.keys()].map((id) => cluster.start(id)));
      return cluster;
    } catch (error) {
      await cluster.remove();
      throw error;
    }
  }

  get addresses(): readonly string[] {
    return [...this.#nodes.values()].map(({ address }) => address);
  }

  /** Starts it again on the same data and port. */
  async start(id: number): Promise<void> {
    await this.#node(id).process.start();
  }

  /** SIGKILL. */
  async kill(id: number): Promise<void> {
    await this.#node(id).process.end('SIGKILL');
  }

  /** An orderly stop: it hands over what it leads. */
  async shutDown(id: number): Promise<void> {
    await this.#node(id).process.end('SIGTERM');
  }

  async remove(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map(({ process }) => process.remove()));
  }

  /** How many partitions of the topics each broker leads. */
  async leaders(topics: readonly string[]): Promise<ReadonlyMap<number, number>> {
    const partitions = await this.#partitions(topics);
    return new Map([...this.#nodes.keys()].map((id) => [id, partitions.filter(({ leader }) => leader === id).length]));
  }

  /** Resolves when every partition of the topics has a leader that answers. */
  async untilLed(topics: readonly string[]): Promise<void> {
    const ask = (): Promise<boolean> =>
      withAdmin(
        this.#running(),
        async (admin) => {
          for (const topic of topics) await admin.fetchTopicOffsets(topic);
          return true;
        },
        { retries: 0 },
      );
    await waitFor(ask, { what: `a leader of each partition of ${topics.join(', ')}`, timeoutMs: TIMEOUT_MS });
  }

  /** Resolves when every replica has what its leader has, so that any one broker may go. */
  async untilInSync(topics: readonly string[]): Promise<void> {
    const isWhole = async (): Promise<boolean> =>
      (await this.#partitions(topics)).every(({ isr }) => isr.length === BROKER_COUNT);
    await waitFor(isWhole, { what: 'all replicas to catch up', timeoutMs: TIMEOUT_MS, everyMs: 200 });
  }

  /** The broker that coordinates the transactions of that id. */
  async coordinatorOf(transactionalId: string): Promise<number> {
    return await this.#coordinator(TRANSACTION, transactionalId);
  }

  /** Kafka makes them when somebody asks for a coordinator. */
  async makeTransactionTopics(): Promise<void> {
    for (const kind of [TRANSACTION, GROUP]) {
      await waitFor(() => this.#coordinator(kind, 'anybody'), { what: 'a coordinator', timeoutMs: TIMEOUT_MS });
    }
  }

  /** Every partition back to the broker that is first among its replicas. */
  async electPreferred(): Promise<void> {
    const [node] = this.#nodes.values();
    if (node === undefined) throw new Error('a cluster of no brokers');
    const args = [ELECTION, '--bootstrap-server', this.#running().join(','), ...ELECT];
    const [program, ...all] = node.process.javaCommand(...args);
    const { code, stdout, stderr } = await startCommand(program, all, { timeoutMs: TIMEOUT_MS }).ended;
    if (code !== 0) throw new Error(`no leaders were elected:\n${stdout}${stderr}`);
  }

  async #coordinator(kind: typeof TRANSACTION | typeof GROUP, of: string): Promise<number> {
    const client = new Base({ clientId: 'test', bootstrapBrokers: this.#running() });
    try {
      const [connection] = (await client.connectToBrokers()).values();
      if (connection === undefined) throw new Error('no broker answers');
      const [found] = (await findCoordinatorV3.api.async(connection, kind, [of])).coordinators;
      if (found === undefined) throw new Error(`nobody coordinates ${of}`);
      return found.nodeId;
    } finally {
      await client.close();
    }
  }

  async #partitions(topics: readonly string[]): Promise<readonly PartitionMetadata[]> {
    const found = await withAdmin(this.#running(), (admin) => admin.fetchTopicMetadata({ topics: [...topics] }));
    return found.topics.flatMap(({ partitions }) => partitions);
  }

  #running(): string[] {
    return [...this.#nodes.values()].filter(({ process }) => process.pid !== undefined).map(({ address }) => address);
  }

  #node(id: number): Node {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new Error(`no broker has the id ${id}`);
    return node;
  }
}

async function prepareNodes(): Promise<ReadonlyMap<number, Node>> {
  const all: { id: number; broker: number; controller: number }[] = [];
  for (let id = 1; id <= BROKER_COUNT; id += 1) {
    all.push({ id, broker: await freePort(), controller: await freePort() });
  }
  const voters = all.map(({ id, controller }) => `${id}@127.0.0.1:${controller}`).join(',');
  const clusterId = randomBytes(16).toString('base64url');
  return new Map(
    all.map(({ id, ...ports }) => {
      const address = `127.0.0.1:${ports.broker}`;
      const process = new KafkaProcess({
        properties: {
          ...brokerProperties(ports),
          'node.id': id,
          'controller.quorum.voters': voters,
          'min.insync.replicas': MIN_IN_SYNC,
          // Leaders move when a test moves them.
          'auto.leader.rebalance.enable': false,
          ...internalTopics(INTERNAL),
        },
        heapMb: HEAP_MB,
        answers: () => withAdmin([address], (admin) => admin.listTopics(), { retries: 0 }),
      });
      process.format(clusterId);
      return [id, { address, process }];
    }),
  );
}
