/**
 * The one place that loads aedes, behind what its packet library does by default and the gateway has no use for. Loaded
 * by `require`: an `import` of aedes would come before all that is done here.
 * `writePacket` is the way past aedes to the same library.
 *
 * - It calls `debug` eight times for each packet, which is then thrown away and costs a quarter of the broker's rate.
 *   With the variable DEBUG set it stays.
 * - With the first packet it keeps a buffer for each of the 65,536 two-byte numbers: 8 MB for good, and 20 ms.
 * - It writes each PUBACK in three pieces and with a tick of its own: for hundreds at once, an eighth of the rate.
 */

import { Buffer } from 'node:buffer';
import { createRequire } from 'node:module';
import process from 'node:process';
import type { Writable } from 'node:stream';
import { replaceModule } from '../../platform/replace-module.ts';

/** As the packet library takes it. */
export interface Packet {
  readonly cmd: string;
  readonly messageId?: number;
  readonly [field: string]: unknown;
}

interface PacketLibrary {
  writeToStream: { cacheNumbers?: boolean; (packet: Packet, stream: Writable): boolean };
}

const requireAsAedes = createRequire(createRequire(import.meta.url).resolve('aedes'));

if (process.env['DEBUG'] === undefined) {
  const requireAsParser = createRequire(requireAsAedes.resolve('mqtt-packet'));
  replaceModule(requireAsParser, 'debug', () => () => () => undefined);
}

const library = requireAsAedes('mqtt-packet') as PacketLibrary;
const { writeToStream } = library;
writeToStream.cacheNumbers = false;
library.writeToStream = (packet, stream) =>
  packet.cmd === 'puback' ? writePuback(packet.messageId ?? 0, stream) : writeToStream(packet, stream);

export function writePacket(packet: Packet, stream: Writable): void {
  library.writeToStream(packet, stream);
}

/** [MQTT 3.1.1, 3.4]. Those of one tick leave together. */
function writePuback(packetId: number, stream: Writable): boolean {
  if (stream.writableCorked === 0) {
    stream.cork();
    process.nextTick(uncork, stream);
  }
  const bytes = Buffer.allocUnsafe(4);
  bytes[0] = 0x40;
  bytes[1] = 2;
  bytes.writeUInt16BE(packetId, 2);
  return stream.write(bytes);
}

function uncork(stream: Writable): void {
  stream.uncork();
}

export const { Aedes } = createRequire(import.meta.url)('aedes') as typeof import('aedes');
