/**
 * To be imported before aedes. Its packet parser calls `debug` eight times for each packet, which is then thrown away
 * and costs a quarter of the broker's rate. With the variable DEBUG set it stays.
 */

import { createRequire } from 'node:module';
import { replaceModule } from '../../platform/replace-module.ts';

if (process.env['DEBUG'] === undefined) silenceDebug();

function silenceDebug(): void {
  const { resolve } = createRequire(import.meta.url);
  const requireAsParser = createRequire(createRequire(resolve('aedes')).resolve('mqtt-packet'));
  replaceModule(requireAsParser, 'debug', () => () => () => undefined);
}
