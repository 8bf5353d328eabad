/**
 * The control of the crash test, imported into a gateway before it starts: the intake answers before the commit,
 * as a broker does that stores after its acknowledgement. Kills must then lose acknowledged records.
 */

import type { Acceptance, Message } from '../../src/core/ports.ts';
import { Ingest } from '../../src/ingest/ingest.ts';

const { accept } = Ingest.prototype;

Ingest.prototype.accept = function acceptTooEarly(this: Ingest, message: Message): Promise<Acceptance> {
  accept.call(this, message).catch(() => {});
  return Promise.resolve({ kind: 'local' });
};
