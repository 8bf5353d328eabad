/** A control of the crash test `clock`: a gateway that has met a synchronised clock takes every clock for one from then on. */

import { SystemClock } from '../../../src/platform/clock.ts';

const { quality } = SystemClock.prototype;
let wasSynced = false;

SystemClock.prototype.quality = function qualityEverSince(this: SystemClock): ReturnType<typeof quality> {
  wasSynced ||= quality.call(this) === 'synced';
  return wasSynced ? 'synced' : 'unsynced';
};
