import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../platform/clock.ts';
import { giveBackStartMemory } from '../platform/start-memory.ts';
import { joinWatch } from '../platform/thread-watch.ts';
import { StoreServer } from '../store/store-server.ts';
import type { WorkerData } from './spawn-worker.ts';

/** What `gateway.ts` hands to this thread. */
export interface StoreWorkerData extends WorkerData {
  /** To the uplink worker. */
  readonly lanes: MessagePort;
  /** Durations of commits in milliseconds, for the metrics. */
  readonly commits: MessagePort;
}

const { lanes, commits, watch } = workerData as StoreWorkerData;
if (parentPort === null) throw new Error('store-worker is the entry of a worker thread');

joinWatch('store-worker', watch);
giveBackStartMemory();
const clock = new SystemClock();
clock.start();
new StoreServer({
  main: parentPort,
  lanes,
  clock,
  onCommit: (durationMs) => commits.postMessage(durationMs),
}).start();
