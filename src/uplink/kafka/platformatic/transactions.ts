import {
  type Base,
  type Connection,
  type Consumer,
  FindCoordinatorKeyTypes,
  findCoordinatorV3,
  offsetFetchV7,
  type Producer,
  txnOffsetCommitV3,
} from '@platformatic/kafka';
import { BoundedSteps, type Bounds, bounded } from '../../bounded.ts';
import { checkComplete } from '../complete-answer.ts';
import type { CommittedOffset, OffsetPlace, Transaction, TransactionalProducer } from '../kafka-client.ts';
import { unknownTopic } from './errors.ts';
import { toRecord } from './record.ts';

type OpenTransaction = Awaited<ReturnType<Producer['beginTransaction']>>;

/** Asks for a new producer, whatever stands at the broker; the library's own default is taken for an old one's. */
const ANY_PRODUCER = { producerId: -1n, producerEpoch: -1 };
const NO_OFFSET = -1n;
const NO_LEADER_EPOCH = -1;
/** Not a member of the group. */
const NO_GENERATION = -1;

/** The position that a group has there, or undefined. `settled`: fails while a transaction that may move it is open. */
export async function committedAt(
  client: Base,
  { group, topic }: OffsetPlace,
  { settled }: { readonly settled: boolean },
): Promise<CommittedOffset | undefined> {
  const coordinator = await groupCoordinator(client, group);
  const topics = [{ name: topic, partitionIndexes: [0] }];
  const answer = await offsetFetchV7.api.async(coordinator, [{ groupId: group, topics }], settled);
  const found = answer.topics[0]?.partitions[0];
  if (found === undefined || found.committedOffset === NO_OFFSET) return undefined;
  return { offset: Number(found.committedOffset), metadata: found.metadata ?? '' };
}

async function groupCoordinator(client: Base, group: string): Promise<Connection> {
  const { brokers } = await client.metadata({ topics: [] });
  const [first] = brokers.keys();
  const asked = await connectionTo(client, first ?? 0);
  const { coordinators } = await findCoordinatorV3.api.async(asked, FindCoordinatorKeyTypes.GROUP, [group]);
  return await connectionTo(client, coordinators[0]?.nodeId ?? 0);
}

async function connectionTo(client: Base, nodeId: number): Promise<Connection> {
  const connections = await client.connectToBrokers([nodeId]);
  const connection = connections.get(nodeId);
  if (connection === undefined) throw new Error(`the broker ${nodeId} is not known`);
  return connection;
}

export interface PlatformaticTransactionsOptions {
  /** With the transactional id. */
  readonly producer: Producer;
  readonly compression: 'none' | 'gzip' | 'zstd';
}

export class PlatformaticTransactionalProducer implements TransactionalProducer {
  readonly #producer: Producer;
  readonly #compression: PlatformaticTransactionsOptions['compression'];
  #coordinator: Connection | undefined;
  /** Begun, and empty. */
  #begun: OpenTransaction | undefined;

  constructor({ producer, compression }: PlatformaticTransactionsOptions) {
    this.#producer = producer;
    this.#compression = compression;
  }

  async takeOver(bounds: Bounds): Promise<void> {
    const begin = async (): Promise<void> => {
      this.#begun = await this.#producer.beginTransaction(ANY_PRODUCER);
    };
    await bounded('taking over the transactional id', begin(), bounds);
  }

  async transact({ parts, place, position }: Transaction, bounds: Bounds): Promise<void> {
    const within = new BoundedSteps(bounds);
    const transaction =
      this.#begun ?? (await within.step('beginning a transaction', this.#producer.beginTransaction()));
    this.#begun = undefined;
    const messages = await within.step('finding the topics', this.#records(parts));
    const [sent] = await Promise.all([
      within.step('the request', transaction.send({ messages, compression: this.#compression })),
      within.step('sending the position', this.#sendPosition(transaction, place, position)),
    ]);
    checkComplete(messages, sent.offsets ?? []);
    await within.step('committing', transaction.commit());
  }

  drop(): void {
    this.#producer.close(true).catch(() => undefined);
  }

  async #records(parts: Transaction['parts']) {
    const topics = parts.map(({ topic }) => topic);
    const found = (await this.#producer.metadata({ topics })).topics;
    return parts.flatMap(({ topic, messages }) => {
      const partitionCount = found.get(topic)?.partitionsCount;
      if (partitionCount === undefined) throw unknownTopic(topic);
      return messages.map((message) => toRecord(topic, message, partitionCount));
    });
  }

  /** The library's own way sends no metadata. */
  async #sendPosition(
    transaction: OpenTransaction,
    { group, topic }: OffsetPlace,
    { offset, metadata }: CommittedOffset,
  ): Promise<void> {
    await transaction.addConsumer({ groupId: group } as Consumer);
    const { producerId, producerEpoch } = this.#producer;
    if (producerId === undefined || producerEpoch === undefined) throw new Error('the transaction has no producer id');
    this.#coordinator ??= await groupCoordinator(this.#producer, group);
    const partition = {
      partitionIndex: 0,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: NO_LEADER_EPOCH,
      committedMetadata: metadata,
    };
    const topics = [{ name: topic, partitions: [partition] }];
    const producer = [producerId, producerEpoch] as const;
    const answer = await txnOffsetCommitV3.api.async(
      this.#coordinator,
      transaction.id,
      group,
      ...producer,
      NO_GENERATION,
      '',
      null,
      topics,
    );
    const answered = answer.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
    );
    checkComplete([{ topic, partition: 0 }], answered);
  }
}
