import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { joinWatch } from '../platform/thread-watch.ts';
import { ReadServer, Told } from '../sources/serial/reading/read-server.ts';
import type { WorkerData } from './spawn-worker.ts';

/** What `gateway.ts` hands to this thread. */
export interface SerialWorkerData extends WorkerData {
  readonly signals: MessagePort;
  readonly told: SharedArrayBuffer;
}

if (parentPort === null) throw new Error('serial-worker is the entry of a worker thread');
const { signals, told, watch } = workerData as SerialWorkerData;
joinWatch('serial-worker', watch);
new ReadServer({ main: parentPort, signals, told: new Told(told) }).start();
