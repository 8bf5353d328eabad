import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { SluiceError } from '../core/errors.ts';
import type { StoreOpened, StoreOptions } from '../store/protocol.ts';
import { StoreClient } from '../store/store-client.ts';
import { WalPin } from '../store/wal-pin.ts';
import { type SpawnedWorker, spawnWorker, type Watch } from './spawn-worker.ts';
import type { StoreWorkerData } from './store-worker.ts';

export interface StoreThreadOptions {
  readonly watch: Watch;
  readonly onCommit: (seconds: number) => void;
  readonly onDeath: (error: SluiceError) => void;
}

/** The store worker as the main thread sees it. */
export class StoreThread {
  readonly client: StoreClient;
  readonly #spawned: SpawnedWorker;
  #pin: WalPin | undefined;

  private constructor(spawned: SpawnedWorker) {
    this.#spawned = spawned;
    this.client = new StoreClient(spawned.worker);
  }

  /** Lets the thread boot. `lanes` is for the uplink worker. */
  static spawn({ watch, onCommit, onDeath }: StoreThreadOptions): { store: StoreThread; lanes: MessagePort } {
    const lanes = new MessageChannel();
    const commits = new MessageChannel();
    commits.port1.on('message', (durationMs: number) => onCommit(durationMs / 1000));
    commits.port1.unref();
    const data: Omit<StoreWorkerData, 'watch'> = { lanes: lanes.port2, commits: commits.port2 };
    const spawned = spawnWorker({
      entry: 'store-worker',
      data,
      transfer: [lanes.port2, commits.port2],
      watch,
      onDeath: (error) => {
        store.client.fail(error);
        onDeath(error);
      },
    });
    const store = new StoreThread(spawned);
    return { store, lanes: lanes.port1 };
  }

  async open(options: StoreOptions): Promise<StoreOpened> {
    const opened = await this.client.open(options);
    this.#pin = WalPin.hold(opened.logFile);
    return opened;
  }

  /**
   * Both files are closed and complete when it resolves, unless the thread ended by itself, or the disk did not take the note
   * that they are being closed: then they stay as after a kill, from which the next start loses nothing.
   */
  async close(): Promise<void> {
    try {
      await this.client.beginClosing();
      this.#pin?.release();
      this.#pin = undefined;
      await this.client.close();
    } catch {
      // Told elsewhere: a thread that ends says why itself, and a store that takes nothing has said so.
    }
    await this.#spawned.end();
  }
}
