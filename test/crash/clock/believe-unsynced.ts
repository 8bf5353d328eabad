/** A control of the crash test `clock`: the gateway takes every clock for one that is synchronised. */

import { SystemClock } from '../../../src/platform/clock.ts';

SystemClock.prototype.quality = () => 'synced';
