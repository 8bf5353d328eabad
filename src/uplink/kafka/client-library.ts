import { codeOf, messageOf, SluiceError } from '../../core/errors.ts';
import type { KafkaClientName } from '../options.ts';
import type { CreateKafkaClient } from './kafka-client.ts';

/**
 * Loads the client library of that name, and no other: each costs memory.
 * @throws SluiceError `client_not_installed`
 */
export async function loadKafkaClient(name: KafkaClientName): Promise<CreateKafkaClient> {
  switch (name) {
    case 'kafkajs': {
      const { KafkajsClient } = await import('./kafkajs/kafkajs-client.ts');
      return (options) => new KafkajsClient(options);
    }
    case 'platformatic': {
      const { PlatformaticClient } = await import('./platformatic/platformatic-client.ts').catch(refuseMissingPackage);
      return (options) => new PlatformaticClient(options);
    }
  }
}

/** npm leaves an optional package out without a word when it cannot install it. */
function refuseMissingPackage(cause: unknown): never {
  if (codeOf(cause) !== 'ERR_MODULE_NOT_FOUND') throw cause;
  throw new SluiceError(`client: platformatic needs a package that is not installed: ${messageOf(cause)}`, {
    code: 'client_not_installed',
    hint: 'run npm ci --include=optional in the directory of sluice, or set client: kafkajs',
    cause,
  });
}
