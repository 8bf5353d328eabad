import { describe, expect, it } from 'vitest';
import type { InnerBroker } from '../../../../../src/uplink/kafka/kafkajs/inner-cluster.ts';
import { KeptCoordinators } from '../../../../../src/uplink/kafka/kafkajs/kept-coordinators.ts';

const TELEMETRY = { groupId: 'sluice.pi.plant.telemetry' };
const TRANSACTIONS = { ...TELEMETRY, coordinatorType: 1 };

describe('coordinators that are kept', () => {
  const brokers = { first: {} as InnerBroker, second: {} as InnerBroker };

  it('are asked for once, each kind for itself', async () => {
    const asked: object[] = [];
    const kept = new KeptCoordinators(async (what) => {
      asked.push(what);
      return brokers.first;
    });
    for (const what of [TELEMETRY, TRANSACTIONS, TELEMETRY, TRANSACTIONS]) await kept.find(what);
    expect(asked).toEqual([TELEMETRY, TRANSACTIONS]);
  });

  it('are asked for again when they may have moved', async () => {
    const answers = [brokers.first, brokers.second];
    const kept = new KeptCoordinators(async () => answers.shift() ?? brokers.first);
    expect(await kept.find(TELEMETRY)).toBe(brokers.first);
    kept.forget();
    expect(await kept.find(TELEMETRY)).toBe(brokers.second);
  });

  it('are asked for again when none was found', async () => {
    const answers = [Promise.reject(new Error('none yet')), Promise.resolve(brokers.first)];
    const kept = new KeptCoordinators(() => answers.shift() ?? Promise.resolve(brokers.second));
    await expect(kept.find(TELEMETRY)).rejects.toThrow('none yet');
    expect(await kept.find(TELEMETRY)).toBe(brokers.first);
  });
});
