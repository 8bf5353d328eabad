/**
 * The control of the crash test for HTTP, imported into a gateway before it starts: no idempotency key is stored with
 * the record, so a request that is repeated after a kill must be stored a second time.
 */

import type { Acceptance, Message } from '../../src/core/ports.ts';
import { Ingest } from '../../src/ingest/ingest.ts';

const { accept } = Ingest.prototype;

Ingest.prototype.accept = function acceptWithoutKey(this: Ingest, message: Message): Promise<Acceptance> {
  return accept.call(this, { ...message, idempotency: undefined });
};
