import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hasUnreadPages, isThere } from '../disk-reads.ts';
import type { OnDamage } from '../log/reader.ts';

/**
 * What stands in the mark when the disk did not give all of the file, or of its write-ahead log, or did so after all: SQLite
 * calls that damaged, too.
 */
const UNREAD = 'unread';

/** A file that stands beside one of which a read or a write said that it is damaged: the next start decides by it. */
export function suspectMark(file: string): string {
  return `${file}.suspect`;
}

/**
 * The mark comes first: whoever looks through a large file for so long may be ended meanwhile. `isStillDamaged`: another look
 * at what seems damaged. Whoever is sure has the last word; others may have marked the file already.
 */
export function markSuspect(file: string, isStillDamaged: () => boolean = () => true): void {
  const mark = suspectMark(file);
  const isOurs = !isThere(mark);
  if (isOurs) writeFileSync(mark, '');
  const isSure = isStillDamaged() && !hasUnreadPages(file) && isStillDamaged();
  if (isSure) writeFileSync(mark, '');
  else if (isOurs) writeFileSync(mark, UNREAD);
}

function isUnreadMark(file: string): boolean {
  return readFileSync(suspectMark(file), 'utf8') === UNREAD;
}

/** What a running gateway found, in words, or null. */
export function suspicionOf(file: string): string | null {
  if (!isThere(suspectMark(file))) return null;
  return isUnreadMark(file)
    ? 'the disk did not give all of it while it was in use'
    : 'it was found damaged while it was in use';
}

/** For a start. A file that the disk did not give and has given now (`isAllGiven`) is not suspect any more. */
export function isSuspect(file: string, isAllGiven: boolean): boolean {
  const mark = suspectMark(file);
  if (!isThere(mark)) return false;
  if (!isUnreadMark(file) || !isAllGiven) return true;
  rmSync(mark);
  return false;
}

/** For readers: this process can only go on with a part of the file, the next one with all that can be read of it. */
export function endThreadAsDamaged(file: string): OnDamage {
  return (error, isStillDamaged) => {
    markSuspect(file, isStillDamaged);
    setImmediate(() => {
      throw error;
    });
  };
}
