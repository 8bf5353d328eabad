/**
 * The control of the crash test, imported into a gateway before it starts: the intake answers before the commit,
 * as a broker does that stores after its acknowledgement. Kills must then lose acknowledged records.
 */

import type { Acceptance, Message } from '../../src/core/ports.ts';
import { Ingest } from '../../src/ingest/ingest.ts';

/**
 * How long what came over HTTP lies in memory, acknowledged: four devices, each with one request at a time, have too little in
 * flight for a kill to meet it within the few milliseconds of a commit.
 */
const HELD_MS = 200;

const { accept } = Ingest.prototype;

Ingest.prototype.accept = function acceptTooEarly(this: Ingest, message: Message): Promise<Acceptance> {
  const store = (): void => void accept.call(this, message).catch(() => {});
  if (message.source !== 'http') {
    store();
    return Promise.resolve({ kind: 'local' });
  }
  setTimeout(store, HELD_MS);
  // A seq that no record has: it is not known yet.
  return Promise.resolve({ kind: 'accepted', device: '', firstSeq: 0, count: 0 });
};
