/**
 * The control of the crash test `mqtt`, imported into a gateway before it starts: a broker without a doorkeeper. What
 * is too large is taken, names are given to whoever asks, every connection leaves 64 KiB behind, every hundredth that
 * an attacker opens is never closed, every five hundredth of them holds it up for a second, and the packet that is known
 * to bring parsers down brings it down. The run must see all of it.
 */

import { Buffer } from 'node:buffer';
import { DeviceTable } from '../../../src/devices/device-table.ts';
import { Connection } from '../../../src/sources/mqtt/connection.ts';
import { FrameGuard } from '../../../src/sources/mqtt/frame-guard.ts';
import { Problems } from '../../../src/sources/mqtt/problems.ts';

/** Those who mean well come from another address, and are slow only for what attackers do. */
const ATTACKERS = '127.0.0.1';
/** Longer than three times what an acknowledgement takes on a busy machine. */
const HELD_UP_MS = 1_000;
/** As many as attackers open in that time: holds that pile up would end behind the attack, when nobody is measured. */
const HELD_UP_EVERY = 500;
const HELD_OPEN_EVERY = 100;

let attackerCount = 0;
const leak: Buffer[] = [];
const swallowing = new WeakSet<FrameGuard>();
const { attach } = Connection.prototype;
const { check } = FrameGuard.prototype;

Connection.prototype.attach = function attachAndLeak(this: Connection): void {
  if (this.address === ATTACKERS) {
    attackerCount += 1;
    if (attackerCount % HELD_UP_EVERY === 0) holdUp();
    if (attackerCount % HELD_OPEN_EVERY === 0) this.socket.destroy = () => this.socket;
  }
  leak.push(Buffer.alloc(64 * 1024, 1));
  attach.call(this);
};

FrameGuard.prototype.check = function checkAndSwallow(this: FrameGuard, chunk: Uint8Array): null {
  if (!swallowing.has(this) && check.call(this, chunk) !== null) swallowing.add(this);
  if (swallowing.has(this)) this.completeEnd = 0;
  return null;
};

Problems.prototype.fault = function dieOfIt(...[, { kind }]: Parameters<Problems['fault']>): void {
  if (kind === 'unsupported_version') process.kill(process.pid, 'SIGKILL');
};

DeviceTable.prototype.claimClientId = () => Promise.resolve(true);

function holdUp(): void {
  const overAt = performance.now() + HELD_UP_MS;
  while (performance.now() < overAt);
}
