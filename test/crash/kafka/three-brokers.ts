import { KafkaCluster } from '../../support/kafka-cluster.ts';
import { SINK_TOPICS } from '../sink.ts';
import type { FaultyKafka } from './faulty-kafka.ts';
import { Leaders } from './leaders.ts';

export async function threeBrokers(): Promise<FaultyKafka> {
  const cluster = await KafkaCluster.start();
  const leaders = new Leaders(cluster, SINK_TOPICS);
  return {
    addresses: cluster.addresses,
    faults: {
      'first leader killed': async () => leaders.takeAway(await leaders.first(), 'killed'),
      'a leader stopped': async (random) => leaders.takeAway(await leaders.any(random), 'stopped'),
      // Those that came back lead nothing until they are elected.
      'leaders elected': async () => {
        if (!(await leaders.elect())) throw new Error('the election moved no leader: the run says nothing');
      },
    },
    heal: () => leaders.heal(),
    remove: () => cluster.remove(),
  };
}
