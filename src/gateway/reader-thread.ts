import type {
  KeptPage,
  KeptQuery,
  KeptRefused,
  KeptReject,
  LogBrowser,
  RecordPage,
  RecordQuery,
} from '../core/browser.ts';
import { SluiceError } from '../core/errors.ts';
import type { Seq, StoredRecord } from '../core/record.ts';
import { RpcClient } from '../platform/rpc.ts';
import type { ReaderOperations, ReaderWorkerData } from './reader-worker.ts';
import { type SpawnedWorker, spawnWorker, type Watch } from './spawn-worker.ts';

export interface ReaderThreadOptions {
  readonly logFile: string;
  readonly watch: Watch;
  readonly onDeath: (error: SluiceError) => void;
}

/** Each holds an answer of at most some MiB. */
const MAX_WAITING = 16;
const TIMEOUT_MS = 5_000;
const RETRY_AFTER_MS = 1_000;

/** The reader worker as the main thread sees it. The thread is started when first asked. */
export class ReaderThread implements LogBrowser {
  readonly #options: ReaderThreadOptions;
  #spawned: SpawnedWorker | undefined;
  #rpc: RpcClient<ReaderOperations> | undefined;
  #waitingCount = 0;

  constructor(options: ReaderThreadOptions) {
    this.#options = options;
  }

  records(query: RecordQuery): Promise<RecordPage> {
    return this.#ask('records', query);
  }

  record(seq: Seq): Promise<StoredRecord | undefined> {
    return this.#ask('record', seq);
  }

  refused(query: KeptQuery): Promise<KeptPage<KeptRefused>> {
    return this.#ask('refused', query);
  }

  rejects(query: KeptQuery): Promise<KeptPage<KeptReject>> {
    return this.#ask('rejects', query);
  }

  async stop(): Promise<void> {
    await this.#spawned?.end();
  }

  /** @throws SluiceError `too_busy`, `read_timeout` */
  async #ask<Op extends keyof ReaderOperations>(
    op: Op,
    args: ReaderOperations[Op]['args'],
  ): Promise<ReaderOperations[Op]['result']> {
    if (this.#waitingCount >= MAX_WAITING) throw tooBusy();
    this.#waitingCount += 1;
    const reading = this.#client()
      .call(op, args)
      .finally(() => {
        this.#waitingCount -= 1;
      });
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(readTimeout()), TIMEOUT_MS);
    try {
      return await Promise.race([reading, late.promise]);
    } finally {
      clearTimeout(timer);
      // Nobody may be there any more to hear that it failed.
      reading.catch(() => undefined);
    }
  }

  #client(): RpcClient<ReaderOperations> {
    if (this.#rpc !== undefined) return this.#rpc;
    const { logFile, watch, onDeath } = this.#options;
    const data: Omit<ReaderWorkerData, 'watch'> = { logFile };
    this.#spawned = spawnWorker({
      entry: 'reader-worker',
      data,
      transfer: [],
      watch,
      onDeath: (error) => {
        this.#rpc?.fail(error);
        onDeath(error);
      },
    });
    this.#rpc = new RpcClient(this.#spawned.worker);
    return this.#rpc;
  }
}

function tooBusy(): SluiceError {
  const hint = 'Ask again later, and for fewer pages at once.';
  return new SluiceError('too many requests wait for the log', { ...LATER, code: 'too_busy', hint });
}

function readTimeout(): SluiceError {
  const hint = 'The disk is slow or busy. Ask again later, or for less.';
  return new SluiceError('the log could not be read in time', { ...LATER, code: 'read_timeout', hint });
}

const LATER = { retryable: true, retryAfterMs: RETRY_AFTER_MS } as const;
