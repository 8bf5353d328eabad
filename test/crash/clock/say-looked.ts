/**
 * Imported into a gateway of the crash test `clock`, behind its wrong clock: it says when the limit of age has looked and
 * found nothing more to take, and under which setting of the clock, in the file beside the clock's.
 */

import { writeFileSync } from 'node:fs';
import { AgeLimit } from '../../../src/store/age-limit.ts';
import { clockSetting } from '../../support/wrong-clock.ts';

const file = `${process.env['WRONG_CLOCK_FILE']}.looked`;
const { step } = AgeLimit.prototype;
let said = '';

AgeLimit.prototype.step = function stepAndSay(this: AgeLimit): boolean {
  const isMore = step.call(this);
  if (!isMore && said !== clockSetting()) {
    said = clockSetting();
    writeFileSync(file, said);
  }
  return isMore;
};
