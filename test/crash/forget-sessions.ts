/**
 * The control of the crash test for sessions, imported into a gateway before it starts: nothing that the broker keeps
 * of messages reaches the disk, so that kills must lose what waited for subscribers.
 */

import type { Appended, LogEntry } from '../../src/core/ports.ts';
import { StoreClient } from '../../src/store/store-client.ts';

const { append } = StoreClient.prototype;

StoreClient.prototype.append = function appendWithoutKeeping(this: StoreClient, entry: LogEntry): Promise<Appended> {
  return append.call(this, 'keep' in entry ? { ...entry, keep: undefined } : entry);
};
