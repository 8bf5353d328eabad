import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import '../../../../src/sources/mqtt/aedes-broker.ts';

it('takes the log of the packet parser away, which nobody reads and which costs a quarter of the rate', () => {
  const { resolve } = createRequire(import.meta.url);
  const requireAsAedes = createRequire(createRequire(resolve('aedes')).resolve('mqtt-packet'));
  const debug = requireAsAedes('debug') as (namespace: string) => object;
  expect(debug('mqtt-packet:parser')).not.toHaveProperty('enabled');
});
