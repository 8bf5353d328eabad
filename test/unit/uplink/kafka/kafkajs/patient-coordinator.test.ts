import { describe, expect, it } from 'vitest';
import type { InnerBroker } from '../../../../../src/uplink/kafka/kafkajs/inner-cluster.ts';
import { KeptCoordinators } from '../../../../../src/uplink/kafka/kafkajs/kept-coordinators.ts';
import { patientCoordinator } from '../../../../../src/uplink/kafka/kafkajs/patient-coordinator.ts';

/** As kafkajs throws what a broker answered. */
function answer(type: string): Error {
  return Object.assign(new Error(type), { name: 'KafkaJSProtocolError', type });
}

describe('a coordinator that is asked patiently', () => {
  /** Answers with the errors in turn, then well. */
  function busy(...types: readonly string[]) {
    const left = [...types];
    const seen = { asked: [] as object[], findCount: 0 };
    const endTxn = async (request: object): Promise<string> => {
      seen.asked.push(request);
      const type = left.shift();
      if (type !== undefined) throw answer(type);
      return 'ended';
    };
    const coordinators = new KeptCoordinators(async () => {
      seen.findCount += 1;
      return { endTxn } as unknown as InnerBroker;
    });
    return { subject: patientCoordinator(coordinators, { groupId: 'lane', coordinatorType: 1 }), seen };
  }

  it('is asked the same again while the transaction before has not ended, and stays the same', async () => {
    const { subject, seen } = busy('CONCURRENT_TRANSACTIONS', 'CONCURRENT_TRANSACTIONS');
    const request = { transactionResult: true };
    expect(await subject.endTxn(request)).toBe('ended');
    expect(seen).toEqual({ asked: [request, request, request], findCount: 1 });
  });

  // Their names in kafkajs.
  it.each(['NOT_COORDINATOR_FOR_GROUP', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'GROUP_LOAD_IN_PROGRESS'])(
    'is looked for again after %s',
    async (type) => {
      const { subject, seen } = busy(type, type);
      expect(await subject.endTxn({})).toBe('ended');
      expect(seen.findCount).toBe(3);
    },
  );

  it.each(['INVALID_PRODUCER_EPOCH', 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'])(
    'is asked once when the answer is %s, and not believed any more',
    async (type) => {
      const { subject, seen } = busy(type);
      await expect(subject.endTxn({})).rejects.toThrow(type);
      expect(seen).toEqual({ asked: [{}], findCount: 1 });
      await subject.endTxn({});
      expect(seen.findCount).toBe(2);
    },
  );
});
