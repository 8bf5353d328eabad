import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../platform/clock.ts';
import { giveBackStartMemory } from '../platform/start-memory.ts';
import { StoreServer } from '../store/store-server.ts';

/** What `gateway.ts` hands to this thread. */
export interface StoreWorkerData {
  /** To the uplink worker. */
  readonly lanes: MessagePort;
  /** Durations of commits in milliseconds, for the metrics. */
  readonly commits: MessagePort;
}

const { lanes, commits } = workerData as StoreWorkerData;
if (parentPort === null) throw new Error('store-worker is the entry of a worker thread');

giveBackStartMemory();
const clock = new SystemClock();
clock.start();
new StoreServer({
  main: parentPort,
  lanes,
  clock,
  onCommit: (durationMs) => commits.postMessage(durationMs),
}).start();
