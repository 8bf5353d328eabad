/**
 * The control of the crash test `mqtt`, imported into a gateway before it starts: a broker without a doorkeeper. What
 * is too large is taken, names are given to whoever asks, every connection costs 10 ms and leaves 64 KiB behind, and
 * the packet that is known to bring parsers down brings it down. The run must see all of it.
 */

import { Buffer } from 'node:buffer';
import { DeviceTable } from '../../../src/devices/device-table.ts';
import { Connection } from '../../../src/sources/mqtt/connection.ts';
import { FrameGuard } from '../../../src/sources/mqtt/frame-guard.ts';
import { Problems } from '../../../src/sources/mqtt/problems.ts';

const leak: Buffer[] = [];
const swallowing = new WeakSet<FrameGuard>();
const { attach } = Connection.prototype;
const { check } = FrameGuard.prototype;

Connection.prototype.attach = function attachAndLeak(this: Connection): void {
  const overAt = performance.now() + 10;
  while (performance.now() < overAt);
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
