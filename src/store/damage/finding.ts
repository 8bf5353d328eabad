import Database from 'better-sqlite3';
import { messageOf, SluiceError } from '../../core/errors.ts';
import { hasUnreadPages, isUnread } from '../disk-reads.ts';
import { isEmptyFile, isMarkedReadOnly, MARKED_READ_ONLY } from '../sqlite.ts';
import { hasLostCommits } from './pages.ts';

export interface Finding {
  readonly file: string;
  /** `repair`: the next start, or `--repair`, puts it right as far as that is possible; `too_new`: no start of this version takes it. */
  readonly kind: 'good' | 'note' | 'repair' | 'too_new';
  /** In plain words. */
  readonly text: string;
}

/** Of a file that is there. What SQLite says of one that it cannot read is a finding, too. */
export function findingsOf(file: string, look: () => readonly string[]): Finding[] {
  const findings = foundBy(file, look);
  if (findings.every(({ kind }) => kind === 'too_new') || !hasUnreadPages(file)) return findings;
  return [
    { file, kind: 'repair', text: 'the disk gives errors when it is read; no start takes that for damage at once' },
  ];
}

export function walProblemsOf(wal: string): string[] {
  try {
    return hasLostCommits(wal) ? ['its write-ahead log is damaged: what was stored last is lost'] : [];
  } catch (error) {
    if (!isUnread(error)) throw error;
    return ['the disk gives errors when its write-ahead log is read'];
  }
}

function foundBy(file: string, look: () => readonly string[]): Finding[] {
  try {
    return look().map((text) => ({ file, kind: 'repair', text }));
  } catch (error) {
    if (error instanceof Database.SqliteError || isUnread(error))
      return [{ file, kind: 'repair', text: `it is damaged: ${messageOf(error)}` }];
    if (error instanceof SluiceError) {
      const kind = error.code === 'store_too_new' ? 'too_new' : 'repair';
      return [{ file, kind, text: messageOf(error) }];
    }
    throw error;
  }
}

/** What must be known of a file before SQLite opens it, in words, or null. */
export function headProblemOf(file: string): string | null {
  if (isEmptyFile(file)) return 'there is nothing in it';
  return isMarkedReadOnly(file) ? MARKED_READ_ONLY : null;
}
