/** A control of the crash test `clock`: every start of the machine counts as the same, so times are corrected wrongly. */

import { Boots } from '../../../src/store/log/boots.ts';
import { Corrections } from '../../../src/store/log/corrections.ts';

const ONE = '0'.repeat(32);

const { note } = Boots.prototype;
Boots.prototype.note = function noteAsOne(this: Boots, { startedAt }): void {
  note.call(this, { bootId: ONE, startedAt });
};

const { apply } = Corrections.prototype;
Corrections.prototype.apply = function applyAsOne(this: Corrections, record) {
  const { bootTime } = record;
  return apply.call(this, bootTime === undefined ? record : { ...record, bootTime: { ...bootTime, bootId: ONE } });
};
