/**
 * Imported into a gateway before it starts: nothing more is found of a damaged log while the file that `SLUICE_TEST_HOLD`
 * names is there.
 */

import { existsSync } from 'node:fs';
import process from 'node:process';
import { LeafScan } from '../../src/store/damage/leaf-scan.ts';
import type { FoundRecord } from '../../src/store/log/recovery.ts';

const { step } = LeafScan.prototype;
const hold = process.env['SLUICE_TEST_HOLD'] ?? '';

LeafScan.prototype.step = function stepUnlessHeld(this: LeafScan, pageCount: number): FoundRecord[] {
  return existsSync(hold) ? [] : step.call(this, pageCount);
};
