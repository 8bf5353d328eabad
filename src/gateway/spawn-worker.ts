import { extname } from 'node:path';
import v8 from 'node:v8';
import { type MessagePort, Worker } from 'node:worker_threads';
import { SluiceError } from '../core/errors.ts';
import type { Beats } from '../platform/beats.ts';
import type { WatchData } from '../platform/thread-watch.ts';

export interface SpawnOptions {
  /** The entry file beside this one, without its ending: `.ts` in the source tree, `.js` when built. */
  readonly entry: 'store-worker' | 'uplink-worker' | 'reader-worker' | 'serial-worker';
  readonly data: object;
  readonly transfer: readonly MessagePort[];
  readonly watch: Watch;
  /** Called once, when the worker ends although nobody asked it to. */
  readonly onDeath: (error: SluiceError) => void;
}

/** How the threads of this process watch each other. */
export interface Watch extends Omit<WatchData, 'memory'> {
  readonly beats: Beats;
}

/** What every worker is given beside its own data. */
export interface WorkerData {
  readonly watch: WatchData;
}

export interface SpawnedWorker {
  readonly worker: Worker;
  /** Ends the thread; from now on its end is no death. Never rejects. */
  end(): Promise<void>;
}

/**
 * What a thread may take. The limit on the old generation also decides how far V8 lets garbage grow before it collects
 * it: up to fourfold without one, by half with this one. The threads keep a few ten MB alive at most.
 */
const MEMORY = {
  'store-worker': { maxYoungGenerationSizeMb: 3, maxOldGenerationSizeMb: 256 },
  'uplink-worker': { maxYoungGenerationSizeMb: 6, maxOldGenerationSizeMb: 256 },
  'reader-worker': { maxYoungGenerationSizeMb: 3, maxOldGenerationSizeMb: 128 },
  'serial-worker': { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 32 },
};

export function spawnWorker({ entry, data, transfer, watch, onDeath }: SpawnOptions): SpawnedWorker {
  // The main thread has its heap by now; the flag that sized it would win over the limits of the worker.
  v8.setFlagsFromString('--max-semi-space-size=0');
  const file = new URL(`./${entry}${extname(import.meta.filename)}`, import.meta.url);
  const { beats, limits, log } = watch;
  const worker = new Worker(file, {
    name: entry,
    workerData: { ...data, watch: { memory: beats.memory, limits, log } } satisfies WorkerData,
    transferList: [...transfer],
    resourceLimits: MEMORY[entry],
    // It would close, by their numbers, files that have been closed and whose numbers are others' by now.
    trackUnmanagedFds: false,
  });
  beats.add(entry);
  let ended = false;
  const die = (reason: string, cause?: unknown) => {
    if (ended) return;
    ended = true;
    beats.remove(entry);
    const hint = 'the process ends now; after a restart it goes on from what is on disk';
    onDeath(new SluiceError(`${entry} ended: ${reason}`, { code: 'worker_died', hint, cause }));
  };
  worker.on('error', (error) => die(error.message, error));
  worker.on('exit', (code) => die(`exit code ${code}`));
  return {
    worker,
    end: async () => {
      ended = true;
      await worker.terminate();
      beats.remove(entry);
    },
  };
}
