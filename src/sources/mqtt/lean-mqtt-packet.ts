/**
 * The one place that loads aedes, behind what its packet library does by default and the gateway has no use for. Loaded
 * by `require`: an `import` of aedes would come before all that is done here.
 * `writePacket` is the way past aedes to the same library.
 *
 * - It calls `debug` eight times for each packet, which is then thrown away and costs a quarter of the broker's rate.
 *   With the variable DEBUG set it stays.
 * - With the first packet it keeps a buffer for each of the 65,536 two-byte numbers: 8 MB for good, and 20 ms.
 */

import { createRequire } from 'node:module';
import type { Writable } from 'node:stream';
import { replaceModule } from '../../platform/replace-module.ts';

interface PacketLibrary {
  readonly writeToStream: { cacheNumbers: boolean; (packet: object, stream: Writable): boolean };
}

const requireAsAedes = createRequire(createRequire(import.meta.url).resolve('aedes'));

if (process.env['DEBUG'] === undefined) {
  const requireAsParser = createRequire(requireAsAedes.resolve('mqtt-packet'));
  replaceModule(requireAsParser, 'debug', () => () => () => undefined);
}

const library = requireAsAedes('mqtt-packet') as PacketLibrary;
library.writeToStream.cacheNumbers = false;

export function writePacket(packet: object, stream: Writable): void {
  library.writeToStream(packet, stream);
}

export const { Aedes } = createRequire(import.meta.url)('aedes') as typeof import('aedes');
