import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { recordJson } from '../api/record-json.ts';
import type { Config } from '../config/config.ts';
import { SluiceError } from '../core/errors.ts';
import type { Salvaged } from '../core/log-stats.ts';
import { STREAMS } from '../core/stream.ts';
import { SystemClock } from '../platform/clock.ts';
import { readEveryRecord } from '../store/damage/every-record.ts';
import { type Examination, examineStore } from '../store/damage/examine.ts';
import { markSuspect } from '../store/damage/suspect.ts';
import { DataDirLock } from '../store/lock.ts';
import { Store } from '../store/store.ts';
import { refuseForeign } from './foreign-data-dir.ts';
import { storeOptionsOf } from './store-options.ts';

export function examine({ gateway }: Config): Examination {
  return examineStore(gateway.dataDir);
}

/**
 * Does what a start would do, and waits until everything is put back. Returns what was done, in words.
 * @throws SluiceError `foreign_data_dir`; `locked` while a gateway runs
 */
export async function repair(config: Config, { findings }: Examination, uid?: number): Promise<readonly string[]> {
  const { dataDir } = config.gateway;
  refuseForeign(dataDir, uid);
  const logFile = join(dataDir, 'log.db');
  // Of a gateway that runs nothing is to be touched.
  const lock = new DataDirLock(dataDir);
  if (findings.some(({ kind, file }) => kind === 'repair' && file === logFile)) markSuspect(logFile);
  lock.release();
  const store = Store.open(storeOptionsOf(config), new SystemClock(), () => undefined);
  const salvaged = await new Promise<Salvaged | null>((resolve) => store.whenSalvaged(resolve));
  store.close();
  const { repairs } = store.opened;
  if (salvaged === null) return repairs;
  return [...repairs, inWords(salvaged)];
}

function inWords({ putBackCount, lostCount, moreMayBeLost }: Salvaged): string {
  const more = moreMayBeLost
    ? ', and how many more nobody knows: the next start tells each uplink, in gaps of count 0'
    : '';
  return `${putBackCount} records are put back, ${lostCount} that had not been delivered are lost${more}`;
}

/** Writes every record that can be read as a line of JSON, as the API shows it. Returns how many. @throws SluiceError `export_failed` */
export function exportRecords({ gateway }: Config, file: string): number {
  let fd: number;
  try {
    fd = openSync(file, 'wx', 0o600);
  } catch (error) {
    const hint = 'name a file that does not exist yet, in a directory that this user may write to';
    throw new SluiceError(`cannot make ${file}`, { code: 'export_failed', hint, cause: error });
  }
  let count = 0;
  try {
    for (const stream of STREAMS) {
      for (const record of readEveryRecord(gateway.dataDir, stream)) {
        writeSync(fd, `${recordJson(record)}\n`);
        count += 1;
      }
    }
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  return count;
}
