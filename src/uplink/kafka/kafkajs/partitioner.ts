import type { ICustomPartitioner } from 'kafkajs';
import { type HashedMessage, partitionOf } from '../partitioner.ts';

/** For producers that send `HashedMessage`s only. */
export const createPartitioner: ICustomPartitioner =
  () =>
  ({ partitionMetadata, message }) =>
    partitionOf((message as HashedMessage).keyHash, partitionMetadata.length);
