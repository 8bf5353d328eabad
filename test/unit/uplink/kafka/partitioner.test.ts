import fc from 'fast-check';
import { Partitioners, type PartitionMetadata } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { murmur2, partitionOf } from '../../../../src/uplink/kafka/partitioner.ts';

/** From the tests of Kafka's Java client (UtilsTest#testMurmur2). */
const JAVA = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
] as const;

describe('the partitioner', () => {
  it.each(JAVA)('hashes "%s" as Java does', (key, hash) => {
    expect(murmur2(Buffer.from(key))).toBe(hash);
  });

  it('hashes any bytes to a signed number of 32 bits', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (key) => {
        const hash = murmur2(key);
        expect(hash).toBe(hash | 0);
      }),
    );
  });

  it('chooses among all partitions as other clients do', () => {
    const choose = Partitioners.DefaultPartitioner();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 300 }), (bytes, count) => {
        const key = Buffer.from(bytes);
        const partitionMetadata: PartitionMetadata[] = Array.from({ length: count }, (_, partitionId) => ({
          partitionId,
          partitionErrorCode: 0,
          leader: 1,
          replicas: [],
          isr: [],
          offlineReplicas: [],
        }));
        const theirs = choose({ topic: 't', partitionMetadata, message: { key, value: null } });
        expect(partitionOf(murmur2(key), count)).toBe(theirs);
      }),
    );
  });
});
