import { SluiceError } from '../../../core/errors.ts';
import type { LaneId } from '../../../core/lane-log.ts';
import type { Seq, StoredRecord } from '../../../core/record.ts';
import type { Outcome, SendOptions, Upstream } from '../../../core/upstream.ts';
import type { Bounds } from '../../bounded.ts';
import type { GatewayIdentity } from '../../options.ts';
import { PerLane } from '../../per-lane.ts';
import { BatchSend } from '../batch-send.ts';
import { CurrentClient, notOpen } from '../current-client.ts';
import type { KafkaClient, TopicMessages } from '../kafka-client.ts';
import { type KafkaUpstreamOptions, topicsOf } from '../kafka-upstream.ts';
import { createTargets, type Targets } from '../targets.ts';
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
  readonly #targets: PerLane<Targets>;
  /** By their names at Kafka. */
  readonly #transactions = new Map<string, LaneTransactions>();
  readonly #current: CurrentClient;
  /** With which it was seen that no name is another gateway's. */
  #lookedWith: KafkaClient | undefined;

  constructor(options: ExactlyOnceOptions) {
    this.#options = options;
    this.#targets = new PerLane(options.streams, ({ stream, range }) =>
      createTargets(stream, options, { ...options, lane: range?.kind }),
    );
    this.#current = new CurrentClient(options, topicsOf(this.#targets));
  }

  async open(signal: AbortSignal): Promise<void> {
    const client = await this.#current.open(signal);
    if (client === this.#lookedWith) return;
    for (const stream of this.#options.streams) {
      const { transactions } = this.#lane({ uplink: this.#options.name, stream }) ?? {};
      if (transactions === undefined) continue;
      await this.#asked(client, signal, transactions.name, (bounds) => transactions.look(client, bounds));
    }
    this.#lookedWith = client;
  }

  async position(id: LaneId): Promise<Seq | undefined> {
    const client = this.#current.usable;
    const lane = this.#lane(id);
    if (client === undefined || lane === undefined) throw notOpen();
    const { transactions } = lane;
    return await this.#asked(client, NEVER, transactions.name, (bounds) => transactions.position(client, bounds));
  }

  async send(id: LaneId, after: Seq, records: readonly StoredRecord[], options: SendOptions): Promise<Outcome> {
    const client = this.#current.usable;
    const lane = this.#lane(id);
    if (client === undefined || lane === undefined) return { upTo: after, rejected: [], error: notOpen() };
    const { targets, transactions } = lane;
    const parts = {
      client,
      brokers: this.#options.brokers,
      logger: this.#options.logger,
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

  bytesOf(lane: LaneId, record: StoredRecord): number {
    return this.#targets.get(lane)?.bytesOf(record) ?? 0;
  }

  finish(lane: LaneId): void {
    this.#targets.finish(lane);
    // Backfills share theirs.
    if (lane.range?.kind !== 'replay') return;
    const name = this.#nameOf(lane);
    this.#transactions.get(name)?.end();
    this.#transactions.delete(name);
  }

  probe(signal: AbortSignal): Promise<void> {
    return this.#current.probe(signal);
  }

  close(options: { readonly deadlineMs: number }): Promise<void> {
    return this.#current.close(options);
  }

  #lane(lane: LaneId): LaneParts | undefined {
    const targets = this.#targets.get(lane);
    if (targets === undefined) return undefined;
    const name = this.#nameOf(lane);
    const { replaces } = this.#options;
    const transactions =
      this.#transactions.get(name) ??
      new LaneTransactions({ ...this.#options, replaces, name, topic: targets.all[0].topic });
    this.#transactions.set(name, transactions);
    return { targets, transactions };
  }

  #nameOf(lane: LaneId): string {
    return transactionName(this.#options.gatewayId, this.#options.name, lane);
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
