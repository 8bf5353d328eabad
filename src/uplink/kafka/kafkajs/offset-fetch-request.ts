import { createRequire } from 'node:module';
import type { CommittedOffset, OffsetPlace } from '../kafka-client.ts';

const require = createRequire(import.meta.url);
const Encoder = require('kafkajs/src/protocol/encoder') as new () => Writer;
const Decoder = require('kafkajs/src/protocol/decoder') as new (data: Buffer) => Reader;
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as {
  createErrorFromCode(code: number): Error;
};

interface Writer {
  writeUVarInt(value: number): Writer;
  writeUVarIntString(value: string): Writer;
  writeInt32(value: number): Writer;
  writeBoolean(value: boolean): Writer;
}

interface Reader {
  readInt16(): number;
  readInt32(): number;
  readInt64(): { toString(): string };
  readUVarInt(): number;
  readUVarIntString(): string | null;
  readTaggedFields(): unknown;
}

const API_KEY = 9;
/** The first that can wait for transactions (KIP-447); brokers know it since Kafka 2.5. */
const VERSION = 7;
const NO_OFFSET = -1;
const NO_TAGS = 0;
/** Lengths are one more than they are (Kafka protocol, COMPACT_ARRAY). */
const ONE = 2;

/** The OffsetFetch request of Kafka's protocol, version 7, which kafkajs does not know. For one partition. */
export function offsetFetchRequest({ group, topic }: OffsetPlace, { settled }: { readonly settled: boolean }): object {
  return {
    request: {
      apiKey: API_KEY,
      apiVersion: VERSION,
      apiName: 'OffsetFetch',
      encode: async () =>
        new Encoder()
          .writeUVarInt(NO_TAGS) // of the header
          .writeUVarIntString(group)
          .writeUVarInt(ONE)
          .writeUVarIntString(topic)
          .writeUVarInt(ONE)
          .writeInt32(0)
          .writeUVarInt(NO_TAGS)
          .writeBoolean(settled)
          .writeUVarInt(NO_TAGS),
    },
    response: {
      decode: async (data: Buffer) => new Decoder(data),
      parse: async (data: Reader) => committedOffset(data),
    },
  };
}

function committedOffset(data: Reader): CommittedOffset | undefined {
  data.readTaggedFields(); // of the header
  data.readInt32(); // throttle_time_ms
  let found: CommittedOffset | undefined;
  for (let topics = data.readUVarInt() - 1; topics > 0; topics -= 1) {
    data.readUVarIntString(); // name
    for (let partitions = data.readUVarInt() - 1; partitions > 0; partitions -= 1) found = partition(data) ?? found;
    data.readTaggedFields();
  }
  failOn(data.readInt16());
  return found;
}

function partition(data: Reader): CommittedOffset | undefined {
  data.readInt32(); // partition_index
  const offset = Number(data.readInt64().toString());
  data.readInt32(); // committed_leader_epoch
  const metadata = data.readUVarIntString() ?? '';
  failOn(data.readInt16());
  data.readTaggedFields();
  return offset === NO_OFFSET ? undefined : { offset, metadata };
}

function failOn(code: number): void {
  if (code !== 0) throw createErrorFromCode(code);
}
