/**
 * The control of the crash test for sessions, imported into a gateway before it starts: nothing that the broker keeps
 * of messages reaches the disk, and it does not look for the wills that are there, so that kills must lose what waited
 * for subscribers, and wills.
 */

import type { Appended, LogEntry } from '../../src/core/ports.ts';
import { StoreClient } from '../../src/store/store-client.ts';

const { append } = StoreClient.prototype;

StoreClient.prototype.append = function appendWithoutKeeping(this: StoreClient, entry: LogEntry): Promise<Appended> {
  return append.call(this, 'keep' in entry ? { ...entry, keep: undefined } : entry);
};

StoreClient.prototype.loadWills = async () => [];
