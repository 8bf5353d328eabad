import type { KafkaClientName } from '../options.ts';
import type { CreateKafkaClient } from './kafka-client.ts';

/** Loads the client library of that name, and no other: each costs memory, and one is an optional package. */
export async function loadKafkaClient(name: KafkaClientName): Promise<CreateKafkaClient> {
  switch (name) {
    case 'kafkajs': {
      const { KafkajsClient } = await import('./kafkajs/kafkajs-client.ts');
      return (options) => new KafkajsClient(options);
    }
    case 'platformatic': {
      const { PlatformaticClient } = await import('./platformatic/platformatic-client.ts');
      return (options) => new PlatformaticClient(options);
    }
  }
}
