import { parentPort, workerData } from 'node:worker_threads';
import type { KeptPage, KeptQuery, KeptRefused, KeptReject, RecordPage, RecordQuery } from '../core/browser.ts';
import type { Seq, StoredRecord } from '../core/record.ts';
import { serve } from '../platform/rpc.ts';
import { joinWatch } from '../platform/thread-watch.ts';
import { SqliteLogBrowser } from '../store/log/browser.ts';
import type { WorkerData } from './spawn-worker.ts';

/** What `gateway.ts` hands to this thread. */
export interface ReaderWorkerData extends WorkerData {
  readonly logFile: string;
}

export type ReaderOperations = {
  records: { args: RecordQuery; result: RecordPage };
  record: { args: Seq; result: StoredRecord | undefined };
  refused: { args: KeptQuery; result: KeptPage<KeptRefused> };
  rejects: { args: KeptQuery; result: KeptPage<KeptReject> };
};

type Handlers = { [Op in keyof ReaderOperations]: (args: ReaderOperations[Op]['args']) => unknown };

if (parentPort === null) throw new Error('reader-worker is the entry of a worker thread');
const { logFile, watch } = workerData as ReaderWorkerData;
joinWatch('reader-worker', watch);
const browser = new SqliteLogBrowser(logFile);
const handlers: Handlers = {
  records: (query) => browser.records(query),
  record: (seq) => browser.record(seq),
  refused: (query) => browser.refused(query),
  rejects: (query) => browser.rejects(query),
};

serve(parentPort, (op, args: never, reply) => reply.ok(handlers[op as keyof Handlers](args)));
