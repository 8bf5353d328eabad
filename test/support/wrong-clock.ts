/**
 * Imported into a gateway, and by that into each of its threads: the wall clock is off, systemd says of it what it is
 * told to say, the machine was started when it is told so, and more time has passed than really has. The file named by
 * WRONG_CLOCK_FILE holds all of it, `OFFSET_MS synced|unsynced BOOTED_AT_S PASSED_MS`, the third as an uptime of the real
 * machine. Timers go on as they are.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { SystemClock } from '../../src/platform/clock.ts';

const LOOK_MS = 10;
const SYSTEMD = '/run/systemd/system';
const SYNCHRONIZED = '/run/systemd/timesync/synchronized';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const file = process.env['WRONG_CLOCK_FILE'] ?? '';
const rightNow = Date.now;
const { existsSync, readFileSync } = fs;
const { uptime } = os;
let setting = '';
let offsetMs = 0;
let isSynced = true;
let bootedAtS = 0;
let passedMs = 0;

/** What this thread has read last. */
export const clockSetting = (): string => setting;

function look(): void {
  setting = readFileSync(file, 'utf8');
  const [offset, state, bootedAt, passed] = setting.split(' ');
  offsetMs = Number(offset);
  isSynced = state === 'synced';
  bootedAtS = Number(bootedAt);
  passedMs = Number(passed);
}

look();
setInterval(look, LOOK_MS).unref();

Date.now = () => rightNow() + offsetMs;
SystemClock.prototype.elapsed = () => performance.now() + passedMs;
os.uptime = () => uptime() - bootedAtS;
fs.existsSync = (path) => (path === SYSTEMD ? true : path === SYNCHRONIZED ? isSynced : existsSync(path));
fs.readFileSync = ((...args: Parameters<typeof readFileSync>) =>
  args[0] === BOOT_ID ? bootId() : readFileSync(...args)) as typeof readFileSync;
syncBuiltinESMExports();

/** Of a boot, not of a moment: time that passes moves the start of the machine. */
function bootId(): string {
  const number = Math.round((bootedAtS + passedMs / 1000) * 100);
  return number.toString(16).padStart(32, '0');
}
