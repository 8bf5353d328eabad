/**
 * A control of the crash test `process`, imported into a gateway and so into each of its threads: none of them looks
 * whether the others answer. That one hangs must then be seen by the test alone.
 */

import { ThreadWatch } from '../../../src/platform/thread-watch.ts';

ThreadWatch.prototype.start = () => undefined;
