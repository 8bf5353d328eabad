/**
 * Imported into a gateway, and by that into each of its threads: does to one of them what the file named by
 * BREAK_DOWN_FILE says, as soon as it says so: `THREAD HOW`.
 */

import { existsSync, readFileSync } from 'node:fs';
import { isMainThread, threadName } from 'node:worker_threads';

const LOOK_MS = 20;
const self = isMainThread ? 'main' : threadName;
const file = process.env['BREAK_DOWN_FILE'] ?? '';
const hoard: unknown[] = [];

const HOW: Readonly<Record<string, () => void>> = {
  throws: () => {
    throw new Error('broken on purpose');
  },
  exits: () => process.exit(3),
  hoards: () => {
    for (;;) hoard.push(new Array(1_000_000).fill(hoard.length + 0.5));
  },
  blocks: () => {
    for (;;);
  },
  hangs: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
};

setInterval(() => {
  const [thread, how = ''] = existsSync(file) ? readFileSync(file, 'utf8').split(' ') : [];
  if (thread === self) HOW[how]?.();
}, LOOK_MS).unref();
