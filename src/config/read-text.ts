import { readFileSync, statSync } from 'node:fs';
import { codeOf, messageOf } from '../core/errors.ts';
import type { Problem } from './problem.ts';

const MAX_FILE_BYTES = 1024 * 1024;

/** The text of a file, or why there is none. `absent`: what to do about a file that does not exist. */
export function readText(file: string, absent: string): string | Problem {
  try {
    const stats = statSync(file);
    if (!stats.isFile()) return fileProblem('is not a file');
    if (stats.size > MAX_FILE_BYTES) return fileProblem('is larger than 1MiB');
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    return fileProblem(unreadable(error, absent));
  }
}

function unreadable(error: unknown, absent: string): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return `does not exist: ${absent}`;
    case 'EACCES':
      return 'may not be read by this user';
    case 'ERR_ENCODING_INVALID_ENCODED_DATA':
      return 'is not UTF-8 text';
    default:
      return `cannot be read: ${messageOf(error)}`;
  }
}

function fileProblem(message: string): Problem {
  return { line: 0, column: 0, path: '', message };
}
