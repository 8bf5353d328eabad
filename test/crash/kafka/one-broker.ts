import { setTimeout as delay } from 'node:timers/promises';
import { startKafka } from '../../support/kafka.ts';
import type { FaultyKafka } from './faulty-kafka.ts';

const MAX_AWAY_MS = 2_000;

export async function oneBroker(): Promise<FaultyKafka> {
  const kafka = await startKafka();
  return {
    addresses: [kafka.bootstrap],
    faults: {
      'Kafka killed': async (random) => {
        await kafka.kill();
        await delay(random.between(0, MAX_AWAY_MS));
        await kafka.start();
      },
    },
    heal: () => Promise.resolve(),
    remove: () => kafka.stop(),
  };
}
