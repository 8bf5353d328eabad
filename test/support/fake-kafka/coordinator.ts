import { Buffer } from 'node:buffer';
import { array, compactArray, compactString, int16, int32, int64, NO_TAGS, type Reader, string } from './codec.ts';
import type { ProducedRecord, ProducePart, ProduceRequest } from './produced.ts';

/** What a coordinator is asked for: key of the request, and the versions whose bytes are known here. */
export const COORDINATOR_APIS = {
  OffsetFetch: [9, 7, 7],
  FindCoordinator: [10, 1, 3],
  InitProducerId: [22, 0, 1],
  AddPartitionsToTxn: [24, 0, 1],
  AddOffsetsToTxn: [25, 0, 1],
  EndTxn: [26, 0, 1],
  TxnOffsetCommit: [28, 0, 3],
} as const;
export type CoordinatorApi = keyof typeof COORDINATOR_APIS;

/** From here on strings and arrays are compact, and fields may be tagged. */
const FLEXIBLE: Readonly<Partial<Record<CoordinatorApi, number>>> = {
  OffsetFetch: 7,
  FindCoordinator: 3,
  TxnOffsetCommit: 3,
};
const NOT_COORDINATOR = 16;
const INVALID_PRODUCER_EPOCH = 47;

interface Position {
  readonly offset: number;
  readonly metadata: string | null;
}

/** Of one transactional id. */
interface Transaction {
  epoch: number;
  records: ProducedRecord[];
  /** Groups with what the transaction moves them to. */
  readonly positions: Map<string, Position>;
  /** Batches that were taken in this epoch: what is sent again is taken once. */
  readonly batches: Set<string>;
}

interface Call {
  readonly reader: Reader;
  readonly version: number;
  /** To be answered with. */
  readonly code: number;
}

export interface CoordinatorNode {
  readonly id: number;
  readonly port: number;
}

/** Coordinates all transactions and all groups, as a broker does that is told when to refuse. */
export class FakeCoordinator {
  /** The next requests of that kind are answered with these error codes, and have no effect. */
  readonly refusals = new Map<CoordinatorApi, number[]>();
  /** The next so many requests of TxnOffsetCommit have no effect, and an answer that says nothing of any partition. */
  silentCommits = 0;
  readonly #transactions = new Map<string, Transaction>();
  readonly #positions = new Map<string, Position>();
  readonly #onCommit: (records: readonly ProducedRecord[]) => void;

  constructor(onCommit: (records: readonly ProducedRecord[]) => void) {
    this.#onCommit = onCommit;
  }

  /** `asked`: the broker that the request came to; `now`: the one that coordinates. */
  answer(
    api: CoordinatorApi,
    { reader, version, asked, now }: Omit<Call, 'code'> & { readonly asked: number; readonly now: CoordinatorNode },
  ): Buffer {
    const isFlexible = version >= (FLEXIBLE[api] ?? Number.POSITIVE_INFINITY);
    if (isFlexible) reader.tags();
    const isElsewhere = api !== 'FindCoordinator' && asked !== now.id;
    const call = { reader, version, code: this.refusals.get(api)?.shift() ?? (isElsewhere ? NOT_COORDINATOR : 0) };
    const answers: Record<CoordinatorApi, () => Buffer> = {
      FindCoordinator: () => found(call, now),
      InitProducerId: () => this.#initProducerId(call),
      AddPartitionsToTxn: () => this.#addPartitions(call),
      AddOffsetsToTxn: () => Buffer.concat([int32(0), int16(this.#codeOf(call))]),
      TxnOffsetCommit: () => this.#commitOffsets(call),
      EndTxn: () => this.#end(call),
      OffsetFetch: () => this.#offset(call),
    };
    const body = answers[api]();
    return isFlexible ? Buffer.concat([NO_TAGS, body, NO_TAGS]) : body;
  }

  /** Offsets of committed transactions, of all groups. */
  positions(): readonly number[] {
    return Array.from(this.#positions.values(), ({ offset }) => offset);
  }

  /** Takes what a transaction sends, of the partitions that are not refused. @returns an error code */
  take({ transactionalId }: ProduceRequest, parts: readonly ProducePart[]): number {
    const transaction = this.#transactions.get(transactionalId ?? '');
    if (transaction === undefined) return INVALID_PRODUCER_EPOCH;
    for (const { topic, partition, producerEpoch, sequence, records } of parts) {
      if (producerEpoch !== transaction.epoch) return INVALID_PRODUCER_EPOCH;
      const batch = `${topic} ${partition} ${sequence}`;
      if (!transaction.batches.has(batch)) transaction.records.push(...records);
      transaction.batches.add(batch);
    }
    return 0;
  }

  #initProducerId({ reader, code }: Call): Buffer {
    const id = reader.string();
    const before = this.#transactions.get(id ?? '');
    const epoch = before === undefined ? 0 : before.epoch + 1;
    if (code === 0 && id !== null) {
      this.#transactions.set(id, { epoch, records: [], positions: new Map(), batches: new Set() });
    }
    return Buffer.concat([int32(0), int16(code), int64(1), int16(epoch)]);
  }

  #addPartitions(call: Call): Buffer {
    const code = this.#codeOf(call);
    const { reader } = call;
    const topics = reader.array(() => ({ name: reader.string(), partitions: reader.array(() => reader.int32()) }));
    const result = (partition: number): Buffer => Buffer.concat([int32(partition), int16(code)]);
    const topic = ({ name, partitions }: (typeof topics)[number]): Buffer =>
      Buffer.concat([string(name), array(partitions, result)]);
    return Buffer.concat([int32(0), array(topics, topic)]);
  }

  #commitOffsets({ reader, version, code }: Call): Buffer {
    const isFlexible = version >= 3;
    const text = (): string | null => (isFlexible ? reader.compactString() : reader.string());
    const transaction = this.#transactions.get(text() ?? '');
    const group = text() ?? '';
    reader.int64();
    const isOld = reader.int16() !== transaction?.epoch;
    if (isFlexible) {
      reader.int32(); // generation_id
      reader.compactString(); // member_id
      reader.compactString(); // group_instance_id
    }
    // One topic, one partition.
    if (isFlexible) reader.uvarint();
    else reader.int32();
    const name = text();
    if (isFlexible) reader.uvarint();
    else reader.int32();
    const partition = reader.int32();
    const offset = reader.int64();
    if (version >= 2) reader.int32(); // committed_leader_epoch
    const metadata = text();
    if (this.silentCommits > 0) {
      this.silentCommits -= 1;
      return Buffer.concat([int32(0), isFlexible ? compactArray([], same) : array([], same)]);
    }
    const answer = code === 0 && isOld ? INVALID_PRODUCER_EPOCH : code;
    if (answer === 0) transaction?.positions.set(group, { offset, metadata });
    const result = Buffer.concat([int32(partition), int16(answer), ...(isFlexible ? [NO_TAGS] : [])]);
    const topic = isFlexible
      ? compactArray([name], () => Buffer.concat([compactString(name), compactArray([result], same), NO_TAGS]))
      : array([name], () => Buffer.concat([string(name), array([result], same)]));
    return Buffer.concat([int32(0), topic]);
  }

  #end(call: Call): Buffer {
    const { id, code } = this.#user(call);
    const transaction = this.#transactions.get(id);
    if (code === 0 && transaction !== undefined) {
      if (call.reader.int8() === 1) {
        this.#onCommit(transaction.records);
        for (const [group, position] of transaction.positions) this.#positions.set(group, position);
      }
      transaction.records = [];
      transaction.positions.clear();
    }
    return Buffer.concat([int32(0), int16(code)]);
  }

  #offset({ reader, code }: Call): Buffer {
    const group = reader.compactString() ?? '';
    const [name = ''] = reader.compactArray(() => reader.compactString());
    const { offset = -1, metadata = '' } = this.#positions.get(group) ?? {};
    const partition = [int32(0), int64(offset), int32(-1), compactString(metadata), int16(code), NO_TAGS];
    const partitions = compactArray([partition], (parts) => Buffer.concat(parts));
    const topics = compactArray([name], () => Buffer.concat([compactString(name), partitions, NO_TAGS]));
    return Buffer.concat([int32(0), topics, int16(code)]);
  }

  #codeOf(call: Call): number {
    return this.#user(call).code;
  }

  /** Transactional id, producer id and epoch, which stand first. */
  #user({ reader, code }: Call): { readonly id: string; readonly code: number } {
    const id = reader.string() ?? '';
    reader.int64();
    const isOld = reader.int16() !== this.#transactions.get(id)?.epoch;
    return { id, code: code === 0 && isOld ? INVALID_PRODUCER_EPOCH : code };
  }
}

function found({ reader, version, code }: Call, { id, port }: CoordinatorNode): Buffer {
  const isFlexible = version >= 3;
  if (isFlexible) reader.compactString();
  else reader.string();
  const host = isFlexible ? compactString('127.0.0.1') : string('127.0.0.1');
  const message = isFlexible ? compactString(null) : string(null);
  return Buffer.concat([int32(0), int16(code), message, int32(id), host, int32(port)]);
}

function same(bytes: Buffer): Buffer {
  return bytes;
}
