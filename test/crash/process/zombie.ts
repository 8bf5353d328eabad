/**
 * The control of the crash test `process`, imported into a gateway before it starts: it answers before the commit, and
 * takes its time to end when a thread has died. What it acknowledges then is lost, and must be seen to be.
 */

import '../acknowledge-too-early.ts';
import { RunningParts } from '../../../src/gateway/running-parts.ts';

RunningParts.prototype.stop = () => new Promise(() => undefined);
