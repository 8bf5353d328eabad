/** The control of the crash test `clock`: what is old by the clock on the wall is dropped, whatever that clock is worth. */

import { Store } from '../../../src/store/store.ts';

const NAIVE_MAX_AGE_MS = 30 * 24 * 3_600_000;
const CHUNK = { maxRecords: 1_000, maxBytes: 1 << 20 };
const EVERY_MS = 50;

const { stats } = Store.prototype;
const expiring = new WeakSet<Store>();

/** The gateway asks for them from its start on. */
Store.prototype.stats = function statsAndExpire(this: Store): ReturnType<Store['stats']> {
  if (!expiring.has(this)) setInterval(() => expire(this), EVERY_MS).unref();
  expiring.add(this);
  return stats.call(this);
};

function expire({ log }: Store): void {
  const olderThan = Date.now() - NAIVE_MAX_AGE_MS;
  log.transaction(() => log.reclaim.dropPending('max_age', CHUNK, olderThan));
}
