/**
 * The control of the crash test for QoS 2, imported into a gateway before it starts: no handshake is stored with the
 * record, so a PUBLISH that is repeated after a kill must be stored a second time.
 */

import type { Acceptance, Message } from '../../src/core/ports.ts';
import { Ingest } from '../../src/ingest/ingest.ts';

const { accept } = Ingest.prototype;

Ingest.prototype.accept = function acceptWithoutHandshake(this: Ingest, message: Message): Promise<Acceptance> {
  return accept.call(this, { ...message, handshake: null });
};
