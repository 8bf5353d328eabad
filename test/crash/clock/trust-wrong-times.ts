/** A control of the crash test `clock`: a record is as old as it says itself, with whatever clock it was accepted. */

import { KnownTimes } from '../../../src/store/log/known-times.ts';

KnownTimes.prototype.bounds = () => () => 0;
