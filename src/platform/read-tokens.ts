import { readFileSync, statSync } from 'node:fs';
import { type ApiToken, parseTokens } from '../core/api-tokens.ts';
import { codeOf, messageOf } from '../core/errors.ts';

export interface TokensReading {
  readonly tokens: readonly ApiToken[];
  /** Whether everybody on the machine may read the file. */
  readonly openToAll: boolean;
}

const MAX_FILE_BYTES = 256 * 1024;
const READABLE_BY_OTHERS = 0o004;

/** Reads and checks a tokens file. @throws Error that names the file and says what is wrong with it */
export function readTokens(path: string): TokensReading {
  const { text, mode } = readText(path);
  const { tokens, problems } = parseTokens(text);
  const [first] = problems;
  if (first !== undefined) throw new Error(`${path} line ${first.line}: ${first.message}`);
  return { tokens, openToAll: (mode & READABLE_BY_OTHERS) !== 0 };
}

function readText(path: string): { readonly text: string; readonly mode: number } {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw new Error('is not a file');
    if (stats.size > MAX_FILE_BYTES) throw new Error(`is larger than ${MAX_FILE_BYTES / 1024}KiB`);
    return { text: readFileSync(path, 'utf8'), mode: stats.mode };
  } catch (error) {
    throw new Error(`${path} ${unreadable(error)}`, { cause: error });
  }
}

function unreadable(error: unknown): string {
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
