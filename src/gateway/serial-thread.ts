import { MessageChannel } from 'node:worker_threads';
import { SluiceError } from '../core/errors.ts';
import { RpcClient } from '../platform/rpc.ts';
import type { OpenReading } from '../sources/serial/reading/port-reading.ts';
import { ReadClient } from '../sources/serial/reading/read-client.ts';
import { type ReadOperations, Told } from '../sources/serial/reading/read-server.ts';
import type { SerialWorkerData } from './serial-worker.ts';
import { type SpawnedWorker, spawnWorker, type Watch } from './spawn-worker.ts';

export interface SerialThreadOptions {
  readonly watch: Watch;
  readonly onDeath: (error: SluiceError) => void;
}

/** The serial worker as the main thread sees it. The thread is started when the first port is opened. */
export class SerialThread {
  readonly #options: SerialThreadOptions;
  #spawned: SpawnedWorker | undefined;
  #rpc: RpcClient<ReadOperations> | undefined;
  #client: ReadClient | undefined;
  readonly open: OpenReading = (path, options) => this.#reader().open(path, options);

  constructor(options: SerialThreadOptions) {
    this.#options = options;
  }

  /** When all ports are closed. */
  async stop(): Promise<void> {
    await this.#spawned?.end();
    this.#rpc?.fail(new SluiceError('the ports are read no more', { code: 'worker_ended' }));
  }

  #reader(): ReadClient {
    if (this.#client !== undefined) return this.#client;
    const { watch, onDeath } = this.#options;
    const { port1: signals, port2 } = new MessageChannel();
    const told = new Told();
    const data: Omit<SerialWorkerData, 'watch'> = { signals: port2, told: told.memory };
    this.#spawned = spawnWorker({
      entry: 'serial-worker',
      data,
      transfer: [port2],
      watch,
      onDeath: (error) => {
        this.#rpc?.fail(error);
        onDeath(error);
      },
    });
    this.#rpc = new RpcClient(this.#spawned.worker);
    this.#client = new ReadClient({ rpc: this.#rpc, signals, told });
    return this.#client;
  }
}
