import { SluiceError } from '../../../core/errors.ts';
import type { LaneId, Outcome, SendOptions, Upstream } from '../../../core/ports.ts';
import type { Seq, StoredRecord } from '../../../core/record.ts';
import type { Stream } from '../../../core/stream.ts';
import type { Bounds } from '../../bounded.ts';
import type { GatewayIdentity } from '../../options.ts';
import { BatchSend } from '../batch-send.ts';
import { CurrentClient, notOpen } from '../current-client.ts';
import type { KafkaClient, TopicMessages } from '../kafka-client.ts';
import type { KafkaUpstreamOptions } from '../kafka-upstream.ts';
import { createAllTargets, type Targets, topicsOf } from '../targets.ts';
import { transactionName } from '../transaction-name.ts';
import { LaneTransactions } from './lane-transactions.ts';

export type ExactlyOnceOptions = KafkaUpstreamOptions & GatewayIdentity;

const NEVER = new AbortController().signal;
const NAME_FAULTS = new Set(['name_taken', 'name_copied']);

interface LaneParts {
  readonly targets: Targets;
  readonly transactions: LaneTransactions;
}

/** Apache Kafka, exactly once: what a lane sends and how far it is go into one transaction. */
export class ExactlyOnceUpstream implements Upstream {
  readonly #options: ExactlyOnceOptions;
  readonly #lanes: ReadonlyMap<Stream, LaneParts>;
  readonly #current: CurrentClient;
  /** With which it was seen that no name is another gateway's. */
  #lookedWith: KafkaClient | undefined;

  constructor(options: ExactlyOnceOptions) {
    const targets = createAllTargets(options, options);
    this.#options = options;
    this.#lanes = new Map([...targets].map(([stream, its]) => [stream, lanePartsOf(options, stream, its)]));
    this.#current = new CurrentClient(options, topicsOf(targets));
  }

  async open(signal: AbortSignal): Promise<void> {
    const client = await this.#current.open(signal);
    if (client === this.#lookedWith) return;
    for (const { transactions } of this.#lanes.values()) {
      await this.#asked(client, signal, transactions.name, (bounds) => transactions.look(client, bounds));
    }
    this.#lookedWith = client;
  }

  async position({ stream }: LaneId): Promise<Seq | undefined> {
    const client = this.#current.usable;
    const lane = this.#lanes.get(stream);
    if (client === undefined || lane === undefined) throw notOpen();
    const { transactions } = lane;
    return await this.#asked(client, NEVER, transactions.name, (bounds) => transactions.position(client, bounds));
  }

  async send({ stream }: LaneId, after: Seq, records: readonly StoredRecord[], options: SendOptions): Promise<Outcome> {
    const client = this.#current.usable;
    const lane = this.#lanes.get(stream);
    if (client === undefined || lane === undefined) return { upTo: after, rejected: [], error: notOpen() };
    const { targets, transactions } = lane;
    const parts = {
      client,
      brokers: this.#options.brokers,
      name: transactions.name,
      targetOf: (record: StoredRecord) => targets.targetOf(record),
      requestLimit: targets.all[0].requestLimit,
      // The position may pass a reject only when that is on disk.
      endsAtReject: true,
      onTopicRefused: () => this.#current.makeTopicsAgain(),
      deliver: (messages: readonly TopicMessages[], upTo: Seq, bounds: Bounds) =>
        transactions.transact(client, messages, upTo, bounds),
    };
    return await new BatchSend(parts, records, options).run(after);
  }

  probe(signal: AbortSignal): Promise<void> {
    return this.#current.probe(signal);
  }

  close(options: { readonly deadlineMs: number }): Promise<void> {
    return this.#current.close(options);
  }

  /** `name`: of the lane that is asked for. */
  async #asked<T>(
    client: KafkaClient,
    signal: AbortSignal,
    name: string,
    ask: (bounds: Bounds) => Promise<T>,
  ): Promise<T> {
    try {
      return await ask({ deadlineMs: this.#options.requestTimeout, signal });
    } catch (thrown) {
      // The connection is sound.
      if (thrown instanceof SluiceError && NAME_FAULTS.has(thrown.code)) throw thrown;
      throw this.#current.errorOf(client, thrown, { name });
    }
  }
}

function lanePartsOf(options: ExactlyOnceOptions, stream: Stream, targets: Targets): LaneParts {
  const name = transactionName(options.gatewayId, options.name, stream);
  const topic = targets.all[0].topic;
  return { targets, transactions: new LaneTransactions({ ...options, replaces: options.replaces, name, topic }) };
}
