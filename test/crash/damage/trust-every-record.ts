/**
 * The control of the damage runs, imported into a process before it starts: no checksum of a record is looked at, so a
 * payload in which a bit was flipped is sent as if nothing were wrong with it.
 */

import { replaceInSource } from './replace-in-source.ts';

replaceInSource({
  file: '/core/record-codec.ts',
  text: 'body.readUInt32LE(0) === checksum(body, seq)',
  by: 'checksum(body, seq) >= 0',
});
