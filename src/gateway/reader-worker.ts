import { parentPort, workerData } from 'node:worker_threads';
import type { KeptPage, KeptQuery, KeptRefused, KeptReject, RecordPage, RecordQuery } from '../core/browser.ts';
import type { Seq, StoredRecord } from '../core/record.ts';
import { serve } from '../platform/rpc.ts';
import { SqliteLogBrowser } from '../store/log/browser.ts';

/** What `gateway.ts` hands to this thread. */
export interface ReaderWorkerData {
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
const browser = new SqliteLogBrowser((workerData as ReaderWorkerData).logFile);
const handlers: Handlers = {
  records: (query) => browser.records(query),
  record: (seq) => browser.record(seq),
  refused: (query) => browser.refused(query),
  rejects: (query) => browser.rejects(query),
};

serve(parentPort, (op, args: never, reply) => reply.ok(handlers[op as keyof Handlers](args)));
