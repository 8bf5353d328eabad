/**
 * Imported into a gateway before it starts: once, when a request over HTTP was stored, it is killed before anybody is
 * told. `SLUICE_TEST_DIED` names a file that says that it happened.
 */

import { existsSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import type { Acceptance, Message } from '../../src/core/ports.ts';
import { Ingest } from '../../src/ingest/ingest.ts';

const { accept } = Ingest.prototype;
const died = process.env['SLUICE_TEST_DIED'] ?? '';

Ingest.prototype.accept = async function acceptAndDie(this: Ingest, message: Message): Promise<Acceptance> {
  const acceptance = await accept.call(this, message);
  if (message.source === 'http' && acceptance.kind === 'accepted' && !existsSync(died)) {
    writeFileSync(died, '');
    process.kill(process.pid, 'SIGKILL');
  }
  return acceptance;
};
