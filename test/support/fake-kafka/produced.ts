import type { Buffer } from 'node:buffer';
import { Reader } from './codec.ts';

export interface ProducedRecord {
  readonly topic: string;
  readonly partition: number;
  /** UTC milliseconds; -1 for none. */
  readonly timestamp: number;
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ProducePart {
  readonly topic: string;
  readonly partition: number;
  readonly producerEpoch: number;
  /** Of the first record. */
  readonly sequence: number;
  readonly records: readonly ProducedRecord[];
}

export interface ProduceRequest {
  readonly transactionalId: string | null;
  readonly parts: readonly ProducePart[];
}

type BatchRecord = Pick<ProducedRecord, 'timestamp' | 'key' | 'headers'>;
type Batch = Pick<ProducePart, 'producerEpoch' | 'sequence'> & {
  readonly records: readonly BatchRecord[];
};

/** From the beginning of the batch to its first timestamp, and from behind that to its producer's epoch. */
const BATCH_HEAD_BYTES = 27;
const BATCH_MIDDLE_BYTES = 16;

/** A Produce request, versions 3 to 7, uncompressed record batches of magic 2. */
export function readProduce(reader: Reader): ProduceRequest {
  const transactionalId = reader.string();
  reader.int16();
  reader.int32();
  const topics = reader.array(() => {
    const topic = reader.string() ?? '';
    return reader.array(() => {
      const partition = reader.int32();
      const { records, ...batch } = readBatch(reader.take(reader.int32()));
      return { topic, partition, ...batch, records: records.map((record) => ({ topic, partition, ...record })) };
    });
  });
  return { transactionalId, parts: topics.flat() };
}

function readBatch(bytes: Buffer): Batch {
  const reader = new Reader(bytes);
  reader.take(BATCH_HEAD_BYTES);
  const firstTimestamp = reader.int64();
  reader.take(BATCH_MIDDLE_BYTES);
  const producerEpoch = reader.int16();
  const sequence = reader.int32();
  const records = reader.array(() => readRecord(new Reader(reader.sized() ?? bytes.subarray(0, 0)), firstTimestamp));
  return { producerEpoch, sequence, records };
}

function readRecord(reader: Reader, firstTimestamp: number): BatchRecord {
  reader.int8();
  const timestamp = firstTimestamp + reader.varint();
  reader.varint();
  const key = reader.sized()?.toString() ?? null;
  reader.sized();
  const headers = Array.from({ length: reader.varint() }, () => {
    const name = reader.sized()?.toString() ?? '';
    return [name, reader.sized()?.toString() ?? ''] as const;
  });
  return { timestamp, key, headers: Object.fromEntries(headers) };
}
