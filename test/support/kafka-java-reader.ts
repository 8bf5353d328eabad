import { join } from 'node:path';
import type { Kafka } from './kafka.ts';
import type { KafkaRecord } from './kafka-reader.ts';

const PROGRAM = join(import.meta.dirname, 'kafka', 'ReadTopic.java');

export interface JavaRecord extends Omit<KafkaRecord, 'timestamp'> {
  /** Where Java's producer would have put a record with this key. */
  readonly javaPartition: number;
}

/** Reads a topic to its present end with Kafka's own Java client, sorted by partition and offset. Needs a JDK. */
export function readTopicWithJava(kafka: Kafka, topic: string): JavaRecord[] {
  const output = kafka.java(PROGRAM, kafka.bootstrap, topic);
  const records = output.split('\n').slice(0, -1).map(parse);
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

function parse(line: string): JavaRecord {
  const [partition, offset, javaPartition, key = '', value = '', ...headers] = line.split(' ');
  const pairs = headers.flatMap((name, index) =>
    index % 2 === 0 ? [[text(name), text(headers[index + 1] ?? '')]] : [],
  );
  return {
    partition: Number(partition),
    offset: Number(offset),
    javaPartition: Number(javaPartition),
    key: text(key),
    value: Buffer.from(value, 'base64'),
    headers: Object.fromEntries(pairs) as Record<string, string>,
  };
}

function text(base64: string): string {
  return Buffer.from(base64, 'base64').toString();
}
