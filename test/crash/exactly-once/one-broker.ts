import { setTimeout as delay } from 'node:timers/promises';
import { TRANSACTION_TIMEOUT_MS } from '../../../src/uplink/kafka/kafka-client.ts';
import { freePort } from '../../support/free-port.ts';
import { startKafka } from '../../support/kafka.ts';
import { freezeInTransaction, QUICK_ABORT, untilAborted } from '../../support/kafka-transactions.ts';
import { startTcpRelay } from '../../support/tcp-relay.ts';
import { killGateway, type Scene, type Surroundings } from './surroundings.ts';

/** Of a record batch, at Kafka. */
const MAX_MESSAGE_BYTES = 200_000;
const POISON = 'x'.repeat(MAX_MESSAGE_BYTES + 10_000);
/** Longer than the broker needs to give a transaction up. */
const LONG_FREEZE_MS = TRANSACTION_TIMEOUT_MS + 5_000;

/** Behind a network that freezes and breaks. */
export async function oneBroker(): Promise<Surroundings> {
  const relayPort = await freePort();
  const kafka = await startKafka({
    advertisedPort: relayPort,
    extraProperties: { 'message.max.bytes': MAX_MESSAGE_BYTES, ...QUICK_ABORT },
  });
  const relay = await startTcpRelay(kafka.relayTarget, relayPort);
  return {
    addresses: [`127.0.0.1:${relayPort}`],
    bootstrap: kafka.bootstrap,
    faults: {
      'gateway killed': { share: 35, play: killGateway },
      'Kafka killed': { share: 10, play: () => kafka.restart() },
      'network frozen': {
        share: 13,
        play: async ({ random }) => {
          relay.freeze();
          await delay(random.between(50, 1_500));
          relay.thaw();
        },
      },
      'network frozen beyond the transaction': {
        share: 1,
        isSure: true,
        play: async ({ isTransactional }) => {
          // Those that deliver at least once have none that could be caught.
          const open = isTransactional ? await freezeInTransaction(relay, kafka.bootstrap) : [];
          relay.freeze();
          await Promise.all([delay(LONG_FREEZE_MS), untilAborted(kafka.bootstrap, open)]);
          relay.thaw();
        },
      },
      'gateway killed while the network was frozen': {
        share: 12,
        play: async (scene) => {
          relay.freeze();
          await delay(scene.random.between(20, 300));
          await killGateway(scene);
          relay.thaw();
        },
      },
      'connections cut': { share: 10, play: async () => relay.reset() },
      'poison records': { share: 20, play: poison },
    },
    heal: () => Promise.resolve(),
    remove: async () => {
      await relay.close();
      await kafka.stop();
    },
  };
}

/** Both lanes get some: a record that is larger than the topic takes. */
async function poison(scene: Scene): Promise<void> {
  const { gateway, random } = scene;
  for (let left = random.between(1, 3); left > 0; left -= 1) {
    const path = random.chance(0.5) ? 'events/huge' : 'telemetry';
    const { status } = await fetch(`http://127.0.0.1:${gateway.apiPort}/v1/devices/poison/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: POISON }),
    });
    if (status !== 202) throw new Error(`a poison record was answered ${status}`);
    scene.poisonCount += 1;
  }
}
