import { readFileSync, statSync } from 'node:fs';
import { codeOf, messageOf } from '../core/errors.ts';

export interface BoundedFile {
  readonly bytes: Buffer;
  /** As `stat` has it. */
  readonly mode: number;
}

/**
 * Reads a whole small file that an option names.
 * @throws Error that names the file and says what is wrong with it
 */
export function readBounded(path: string, max: { readonly bytes: number; readonly text: string }): BoundedFile {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw new Error('is not a file');
    if (stats.size > max.bytes) throw new Error(`is larger than ${max.text}`);
    return { bytes: readFileSync(path), mode: stats.mode };
  } catch (error) {
    throw new Error(`${path} ${unreadable(error)}`, { cause: error });
  }
}

/** What is wrong with a file that could not be read, to stand behind its name. */
export function unreadable(error: unknown): string {
  switch (codeOf(error)) {
    case undefined:
      return messageOf(error);
    case 'ENOENT':
      return 'does not exist';
    case 'EACCES':
      return 'may not be read by this user';
    default:
      return `cannot be read: ${messageOf(error)}`;
  }
}
