/** The control of the test that kills gateways with wills, imported into one before it starts: no will reaches the disk. */

import type { SessionChange } from '../../src/core/session.ts';
import { StoreClient } from '../../src/store/store-client.ts';

const { saveSessions } = StoreClient.prototype;

StoreClient.prototype.saveSessions = function saveWithoutWills(
  this: StoreClient,
  changes: readonly SessionChange[],
): Promise<void> {
  return saveSessions.call(
    this,
    changes.filter(({ kind }) => kind !== 'will'),
  );
};
