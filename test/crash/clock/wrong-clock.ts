/**
 * Imported into a gateway, and by that into each of its threads: the wall clock is off, systemd says of it what it is
 * told to say, and the machine was started when it is told so. The file named by WRONG_CLOCK_FILE holds all three,
 * `OFFSET_MS synced|unsynced BOOTED_AT_S`, the last as an uptime of the real machine. What counts time that passed goes
 * on as it is.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

const LOOK_MS = 10;
const SYSTEMD = '/run/systemd/system';
const SYNCHRONIZED = '/run/systemd/timesync/synchronized';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const file = process.env['WRONG_CLOCK_FILE'] ?? '';
const rightNow = Date.now;
const { existsSync, readFileSync } = fs;
const { uptime } = os;
let offsetMs = 0;
let isSynced = true;
let bootedAtS = 0;

function look(): void {
  const [offset, state, bootedAt] = readFileSync(file, 'utf8').split(' ');
  offsetMs = Number(offset);
  isSynced = state === 'synced';
  bootedAtS = Number(bootedAt);
}

look();
setInterval(look, LOOK_MS).unref();

Date.now = () => rightNow() + offsetMs;
os.uptime = () => uptime() - bootedAtS;
fs.existsSync = (path) => (path === SYSTEMD ? true : path === SYNCHRONIZED ? isSynced : existsSync(path));
fs.readFileSync = ((...args: Parameters<typeof readFileSync>) =>
  args[0] === BOOT_ID ? bootId() : readFileSync(...args)) as typeof readFileSync;
syncBuiltinESMExports();

function bootId(): string {
  const number = Math.round(bootedAtS * 100);
  return number.toString(16).padStart(32, '0');
}
