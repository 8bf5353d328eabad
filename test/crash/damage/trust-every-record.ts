/**
 * The control of the damage runs, imported into a process before it starts: no checksum of a record is looked at, so a
 * payload in which a bit was flipped is sent as if nothing were wrong with it.
 */

import { registerHooks } from 'node:module';

const CHECK = 'body.readUInt32LE(0) === checksum(body, seq)';

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith('/core/record-codec.ts')) return loaded;
    const source = String(loaded.source);
    if (!source.includes(CHECK)) throw new Error('record-codec.ts checks its records in another way now');
    return { ...loaded, source: source.replace(CHECK, 'checksum(body, seq) >= 0') };
  },
});
