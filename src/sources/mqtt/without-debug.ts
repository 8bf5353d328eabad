/**
 * To be imported before aedes. Its packet parser calls `debug` eight times for each packet, which is then thrown away
 * and costs a quarter of the broker's rate. With the variable DEBUG set it stays.
 */

import { createRequire } from 'node:module';

if (process.env['DEBUG'] === undefined) silenceDebug();

function silenceDebug(): void {
  const { resolve } = createRequire(import.meta.url);
  const require = createRequire(createRequire(resolve('aedes')).resolve('mqtt-packet'));
  require('debug');
  const loaded = require.cache[require.resolve('debug')];
  if (loaded !== undefined) loaded.exports = () => () => undefined;
}
