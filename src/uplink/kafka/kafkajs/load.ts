/** The one place that loads kafkajs 2.2.4, mended where it is known to be slow or noisy. Nothing else may load it before. */

import { createRequire } from 'node:module';
import { replaceModule } from '../../../platform/replace-module.ts';
import { type EncodedRecord, encodeRecord, type PlainRecord } from './record-encoder.ts';

interface Grouping {
  readonly topic: string;
  readonly partitionMetadata: readonly unknown[];
  readonly messages: readonly unknown[];
  readonly partitioner: (args: Omit<Grouping, 'messages' | 'partitioner'> & { readonly message: unknown }) => number;
}

const require = createRequire(import.meta.url);

replaceModule(
  require,
  'kafkajs/src/protocol/recordBatch/record/v0',
  (encode: (record: PlainRecord) => EncodedRecord) => {
    return (record: PlainRecord) => encodeRecord(record) ?? encode(record);
  },
);
replaceModule(require, 'kafkajs/src/producer/groupMessagesPerPartition', () => groupByPartition);
silenceNegativeTimeouts();

export const kafkajs = require('kafkajs') as typeof import('kafkajs');

/** Keeps the order within each partition. The original copies the whole list for every message. */
function groupByPartition({ topic, partitionMetadata, messages, partitioner }: Grouping): Record<number, unknown[]> {
  const groups: Record<number, unknown[]> = {};
  if (partitionMetadata.length === 0) return groups;
  for (const message of messages) {
    const partition = partitioner({ topic, partitionMetadata, message });
    const group = groups[partition];
    if (group === undefined) groups[partition] = [message];
    else group.push(message);
  }
  return groups;
}

/** kafkajs sets a timer to a time long past whenever it is not throttled; it means nothing, and Node warns of it. */
function silenceNegativeTimeouts(): void {
  const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  process.emitWarning = (...args: unknown[]): void => {
    const isOurs = args[1] === 'TimeoutNegativeWarning' && new Error().stack?.includes('/kafkajs/') === true;
    if (!isOurs) emitWarning(...args);
  };
}
