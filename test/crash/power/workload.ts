/**
 * A process that runs under the shim: works on the store in DIRECTORY, and writes what was promised to it into the file
 * `promises` in there, one line each, at the moment of the promise, so that the record holds both in their order.
 * `node workload.ts DIRECTORY ROUND SEED full|relaxed [kill|close|cut_off]`; `cut_off`: killed before `state.db` is copied again
 *
 * | line | means |
 * |---|---|
 * | `accepted ENTRY SEQ` | the entry is stored, its first record under this seq |
 * | `settling STREAM SEQ`, `settled STREAM SEQ` | the lane is asked to move its cursor there; it stands there |
 * | `device ID`, `session ID` | it is stored |
 */

import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import Database from 'better-sqlite3';
import type { Stream } from '../../../src/core/stream.ts';
import { entryOfNumber } from '../../support/append-until-killed.ts';
import { type OpenStore, openStore } from '../../support/open-store.ts';
import { SeededRandom } from '../../support/random.ts';
import { waitFor } from '../../support/wait-for.ts';
import { POWER_STORE, UPLINK } from './power-store.ts';
import { PROMISES_FILE } from './replay.ts';

const STEPS = 60;
const ENTRIES_PER_ROUND = 100_000;
const LANE_STREAMS: readonly Stream[] = ['telemetry', 'events'];

interface WorkloadOptions {
  readonly random: SeededRandom;
  readonly promise: (line: string) => void;
  /** Behind these steps nothing is delivered any more. */
  readonly settledSteps: number;
}

class Workload {
  readonly #store: OpenStore;
  readonly #random: SeededRandom;
  readonly #settledSteps: number;
  readonly #promise: (line: string) => void;
  readonly #cursors = new Map<Stream, number>();
  #next: number;
  /** Stored as the last one. */
  lastDevice = '';

  constructor(store: OpenStore, round: number, options: WorkloadOptions) {
    this.#store = store;
    this.#random = options.random;
    this.#promise = options.promise;
    this.#settledSteps = options.settledSteps;
    this.#next = round * ENTRIES_PER_ROUND;
  }

  async run(): Promise<void> {
    for (const stream of LANE_STREAMS) {
      this.#cursors.set(stream, await this.#store.lanes.open({ uplink: UPLINK, stream }, 'oldest'));
    }
    await this.#store.lanes.open({ uplink: UPLINK, stream: 'gaps' }, 'oldest');
    await this.#changeState();
    for (let step = 0; step < STEPS; step += 1) {
      await this.#append(this.#random.between(1, 64));
      if (step < this.#settledSteps && this.#random.chance(0.3)) await this.#settle();
      if (this.#random.chance(0.1)) await this.#changeState();
    }
  }

  async #append(count: number): Promise<void> {
    const entries = Array.from({ length: count }, (_, index) => this.#next + index);
    this.#next += count;
    await Promise.all(
      entries.map(async (entry) => {
        const { firstSeq } = await this.#store.client.append(entryOfNumber(entry));
        this.#promise(`accepted ${entry} ${firstSeq}`);
      }),
    );
  }

  async #settle(): Promise<void> {
    for (const [stream, from] of this.#cursors) {
      const lane = { uplink: UPLINK, stream };
      const read = this.#store.reader.read(stream, from, { maxRecords: 5_000, maxBytes: 2 ** 22 });
      await this.#store.lanes.claim(lane, read.upTo);
      this.#promise(`settling ${stream} ${read.upTo}`);
      await this.#store.lanes.settle({
        lane,
        from,
        upTo: read.upTo,
        deliveredCount: read.records.length,
        rejected: [],
      });
      this.#promise(`settled ${stream} ${read.upTo}`);
      this.#cursors.set(stream, read.upTo);
    }
  }

  async #changeState(): Promise<void> {
    const id = `device-${this.#next}`;
    await this.#store.client.putSecret(id, `hash-of-${id}`);
    this.#promise(`device ${id}`);
    this.lastDevice = id;
    await this.#store.client.saveSessions([{ kind: 'begin', session: this.#next, clientId: id, owner: id }]);
    this.#promise(`session ${this.#next}`);
  }
}

function isCopied(device: string): boolean {
  const copy = new Database(join(dataDir, 'state.db.good'), { readonly: true });
  try {
    return copy.prepare('SELECT 1 FROM devices WHERE id = ?').get(device) !== undefined;
  } finally {
    copy.close();
  }
}

const [dataDir = '', round = '0', seed = '0', durability = 'full', end = ''] = process.argv.slice(2);
const random = new SeededRandom(Number(seed) * 31 + Number(round));
const store = await openStore({ ...POWER_STORE, dataDir, durability: durability === 'full' ? 'full' : 'relaxed' });
const promises = openSync(join(dataDir, PROMISES_FILE), 'a');
const promise = (line: string) => void writeSync(promises, `${line}\n`);
const workload = new Workload(store, Number(round), {
  random,
  promise,
  settledSteps: end === '' ? STEPS : STEPS / 4,
});
await workload.run();
// Every other life ends in good order, the rest as a process does that is killed, unless it is said which; then much is left undelivered.
if (end === 'close' || (end === '' && random.chance(0.5))) await store.close();
// Devices are copied within a second; what the time of the copy is does not say whether the last one is in it.
if (end === 'kill')
  await waitFor(() => isCopied(workload.lastDevice), { what: 'the copy of state.db', timeoutMs: 60_000 });
process.kill(process.pid, 'SIGKILL');
