import { join } from 'node:path';
import type { Seq } from '../../src/core/record.ts';
import type { Aside } from '../../src/store/limits.ts';
import type { SkipNotes } from '../../src/store/log/lanes.ts';
import { Log } from '../../src/store/log/log.ts';
import type { StoreClock } from '../../src/store/store-clock.ts';

export const NO_SKIPS: SkipNotes = { skippedUpTo: () => 0, noteSkip: () => undefined };
export const NOTHING_ASIDE: Aside = { bytes: 0, remove: () => undefined };

/** A real `log.db` on this thread, without anything around it. No seq up to `reserved` is given out. */
export function openLog(dataDir: string, clock: StoreClock, reserved: Seq = 0): Log {
  return new Log({
    file: join(dataDir, 'log.db'),
    durability: 'full',
    walBytes: 2 ** 18,
    keptBytes: 2 ** 18,
    machineId: 'm',
    idempotency: { windowMs: 24 * 3_600_000, maxKeys: 100, maxBytes: 2 ** 18 },
    clock,
    skips: NO_SKIPS,
    seqs: { reservedSeq: () => reserved, reserveSeq: (needed) => needed + 1_000 },
  });
}
