/**
 * The control of the crash test of serial ports for repeated frames, imported into a gateway before it starts: no key is
 * stored with the record, so a frame that is sent again after a kill must be stored a second time.
 */

import type { Appended, LogEntry } from '../../../src/core/ports.ts';
import { StoreClient } from '../../../src/store/store-client.ts';

const { append } = StoreClient.prototype;

StoreClient.prototype.append = function appendWithoutKey(this: StoreClient, entry: LogEntry): Promise<Appended> {
  return append.call(this, entry.kind === 'records' ? { ...entry, handshake: null } : entry);
};
