/** A control of the crash test `clock`: the gateway forgets when the machine was started, and can correct no time. */

import { Boots } from '../../../src/store/log/boots.ts';

Boots.prototype.note = () => undefined;
