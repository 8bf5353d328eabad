/** What an error says of a file: that it is damaged, or that the disk takes or gives nothing. */

import { codeOf, messageOf, SluiceError } from '../core/errors.ts';

/** Codes of SQLite, and of Node's own calls. Where less is on the disk than was written, only a new process finds out what is. */
const FAILING = /^(SQLITE_(IOERR(?!_SHORT_READ)|READONLY|CANTOPEN|PERM)|EIO$|EROFS$|ENXIO$|ENODEV$|ESTALE$)/;
const DAMAGED = /^SQLITE_(NOTADB|CORRUPT|IOERR_SHORT_READ)/;
const DAMAGED_SCHEMA = /^SQLITE_(ERROR|SCHEMA|CONSTRAINT)/;

/** What is there is not what was written. */
export function isDamage(error: unknown): boolean {
  return DAMAGED.test(codeOf(error) ?? '') || (error instanceof SluiceError && error.code === 'store_damaged');
}

/** False also when it fails for another reason: that is no damage. */
export function meetsDamage(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    return isDamage(error);
  }
}

/** As `isDamage`, while a file is opened: no statement fails by itself on one whose schema is as it was written. */
export function isDamageAtOpening(error: unknown): boolean {
  return isDamage(error) || DAMAGED_SCHEMA.test(codeOf(error) ?? '');
}

export function damaged(file: string, what: string): SluiceError {
  return new SluiceError(`${file} is damaged: ${what}`, {
    code: 'store_damaged',
    hint: 'the next start sets it aside and puts back what can be read',
  });
}

/** What keeps anything from being written. */
export interface DiskFault {
  /** `broken`: until the files are opened again; the others pass by themselves. */
  readonly kind: 'full' | 'busy' | 'broken';
  /** For people. */
  readonly reason: string;
}

/** undefined for what no disk does: that must not be survived by guessing. */
export function diskFaultOf(error: unknown): DiskFault | undefined {
  const code = codeOf(error) ?? '';
  if (code === 'SQLITE_FULL' || code === 'ENOSPC') return { kind: 'full', reason: 'the disk is full' };
  if (code === 'SQLITE_BUSY') return { kind: 'busy', reason: 'another program holds the store' };
  if (!FAILING.test(code)) return undefined;
  // SQLite says the same of a file that it may not write.
  const isReadOnly = code.startsWith('SQLITE_READONLY') || code === 'EROFS';
  const reason = isReadOnly
    ? 'the disk is read-only, or log.db or state.db belongs to another user'
    : `the disk fails (${messageOf(error)}, ${code})`;
  return { kind: 'broken', reason };
}
