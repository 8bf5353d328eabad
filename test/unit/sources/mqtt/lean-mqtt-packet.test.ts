import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import '../../../../src/sources/mqtt/aedes-broker.ts';

const requireAsAedes = createRequire(createRequire(import.meta.url).resolve('aedes'));

it('takes the log of the packet parser away, which nobody reads and which costs a quarter of the rate', () => {
  const requireAsParser = createRequire(requireAsAedes.resolve('mqtt-packet'));
  const debug = requireAsParser('debug') as (namespace: string) => object;
  expect(debug('mqtt-packet:parser')).not.toHaveProperty('enabled');
});

it('keeps no buffer for each of the 65,536 packet ids', () => {
  const { writeToStream } = requireAsAedes('mqtt-packet') as { writeToStream: { cacheNumbers: boolean } };
  expect(writeToStream.cacheNumbers).toBe(false);
});
