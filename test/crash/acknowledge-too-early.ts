/**
 * The control of the crash test, imported into a gateway before it starts: the intake answers before the commit,
 * as a broker does that stores after its acknowledgement. Kills must then lose acknowledged records.
 */

import type { Acceptance, Message } from '../../src/core/ports.ts';
import { Ingest } from '../../src/ingest/ingest.ts';

const { accept } = Ingest.prototype;

Ingest.prototype.accept = function acceptTooEarly(this: Ingest, message: Message): Promise<Acceptance> {
  accept.call(this, message).catch(() => {});
  // A seq that no record has: it is not known yet.
  const accepted = { kind: 'accepted', device: '', firstSeq: 0, count: 0 } as const;
  return Promise.resolve(message.source === 'http' ? accepted : { kind: 'local' });
};
