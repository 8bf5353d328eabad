import Database from 'better-sqlite3';
import { defineRowSum } from './row-sum.ts';

/** What is read of a file that may be damaged; undefined when SQLite cannot. Other errors pass. */
export function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Database.SqliteError) return undefined;
    throw error;
  }
}

/** The same of a file without a write-ahead log, such as a copy, so that looking at it makes no files. */
export function ofCopy<T>(file: string, read: (copy: Database.Database) => T): T | undefined {
  return ifReadable(() => {
    const copy = new Database(file, { readonly: true, fileMustExist: true });
    try {
      defineRowSum(copy);
      return read(copy);
    } finally {
      copy.close();
    }
  });
}
