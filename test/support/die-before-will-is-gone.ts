/**
 * Imported into a gateway before it starts: once, it is killed when a will is published and is to be removed. What it
 * became is on disk then, and it is there itself. `SLUICE_TEST_DIED` names a file that says that it happened.
 */

import { existsSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import type { SessionChange } from '../../src/core/session.ts';
import { StoreClient } from '../../src/store/store-client.ts';

const { saveSessions } = StoreClient.prototype;
const died = process.env['SLUICE_TEST_DIED'] ?? '';

StoreClient.prototype.saveSessions = async function saveOrDie(
  this: StoreClient,
  changes: readonly SessionChange[],
): Promise<void> {
  if (changes.some(({ kind }) => kind === 'will_gone') && !existsSync(died)) {
    writeFileSync(died, '');
    process.kill(process.pid, 'SIGKILL');
  }
  await saveSessions.call(this, changes);
};
