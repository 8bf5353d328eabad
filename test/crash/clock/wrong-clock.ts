/**
 * Imported into a gateway, and by that into each of its threads: the wall clock is off by what the file named by
 * WRONG_CLOCK_FILE says, `OFFSET_MS synced|unsynced`, and systemd says of it what the second word says. What counts
 * time that passed goes on as it is.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const LOOK_MS = 10;
const SYSTEMD = '/run/systemd/system';
const SYNCHRONIZED = '/run/systemd/timesync/synchronized';
const file = process.env['WRONG_CLOCK_FILE'] ?? '';
const rightNow = Date.now;
const { existsSync } = fs;
let offsetMs = 0;
let isSynced = true;

function look(): void {
  const [offset, state] = fs.readFileSync(file, 'utf8').split(' ');
  // It is being written.
  if (state === undefined || state === '') return;
  offsetMs = Number(offset);
  isSynced = state === 'synced';
}

look();
setInterval(look, LOOK_MS).unref();

Date.now = () => rightNow() + offsetMs;
fs.existsSync = (path) => (path === SYSTEMD ? true : path === SYNCHRONIZED ? isSynced : existsSync(path));
syncBuiltinESMExports();
