import type { Buffer } from 'node:buffer';
import { Reader } from './codec.ts';

export interface ProducedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ProducePart {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly ProducedRecord[];
}

/** From epoch and length of the batch to where its records are counted. */
const BATCH_HEAD_BYTES = 57;

/** The parts of a Produce request, versions 3 to 7, uncompressed record batches of magic 2. */
export function readProduce(reader: Reader): readonly ProducePart[] {
  reader.string();
  reader.int16();
  reader.int32();
  const topics = reader.array(() => {
    const topic = reader.string() ?? '';
    return reader.array(() => {
      const partition = reader.int32();
      const records = readBatch(reader.take(reader.int32())).map((record) => ({ topic, partition, ...record }));
      return { topic, partition, records };
    });
  });
  return topics.flat();
}

function readBatch(bytes: Buffer): readonly Pick<ProducedRecord, 'key' | 'headers'>[] {
  const reader = new Reader(bytes);
  reader.take(BATCH_HEAD_BYTES);
  return reader.array(() => readRecord(new Reader(reader.sized() ?? bytes.subarray(0, 0))));
}

function readRecord(reader: Reader): Pick<ProducedRecord, 'key' | 'headers'> {
  reader.int8();
  reader.varint();
  reader.varint();
  const key = reader.sized()?.toString() ?? null;
  reader.sized();
  const headers = Array.from({ length: reader.varint() }, () => {
    const name = reader.sized()?.toString() ?? '';
    return [name, reader.sized()?.toString() ?? ''] as const;
  });
  return { key, headers: Object.fromEntries(headers) };
}
