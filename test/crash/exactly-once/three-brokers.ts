import { transactionName } from '../../../src/uplink/kafka/transaction-name.ts';
import { KafkaCluster, TRANSACTION_TOPICS } from '../../support/kafka-cluster.ts';
import { Leaders } from '../kafka/leaders.ts';
import { SINK_TOPICS } from '../sink.ts';
import { killGateway, type Scene, type Surroundings } from './surroundings.ts';

const STREAMS = ['telemetry', 'events', 'state'] as const;

/** Brokers that lead partitions and coordinate transactions, until others do. */
export async function threeBrokers(): Promise<Surroundings> {
  const cluster = await KafkaCluster.start();
  await cluster.makeTransactionTopics();
  const leaders = new Leaders(cluster, [...SINK_TOPICS, ...TRANSACTION_TOPICS]);
  /** The broker that coordinates one of the gateway's lanes. */
  const takeCoordinator = async ({ random }: Scene, how: 'killed' | 'stopped'): Promise<void> => {
    const stream = STREAMS[random.between(0, STREAMS.length - 1)] ?? 'telemetry';
    await leaders.takeAway(await cluster.coordinatorOf(transactionName('test-gateway', 'sink', { stream })), how);
  };
  return {
    addresses: cluster.addresses,
    bootstrap: cluster.addresses.join(','),
    faults: {
      'coordinator killed': { share: 35, play: (scene) => takeCoordinator(scene, 'killed') },
      'coordinator stopped': { share: 25, play: (scene) => takeCoordinator(scene, 'stopped') },
      'leader killed': {
        share: 15,
        play: async ({ random }) => leaders.takeAway(await leaders.any(random), 'killed'),
      },
      // Of partitions and of transactions, among brokers that all run.
      'leaders elected': { share: 15, play: async () => void (await leaders.elect()) },
      'gateway killed while its coordinator was away': {
        share: 10,
        play: async (scene) => {
          await takeCoordinator(scene, 'killed');
          await killGateway(scene);
        },
      },
    },
    heal: () => leaders.heal(),
    remove: () => cluster.remove(),
  };
}
