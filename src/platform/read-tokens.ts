import { type ApiToken, parseTokens } from '../core/api-tokens.ts';
import { readBounded } from './bounded-file.ts';

export interface TokensReading {
  readonly tokens: readonly ApiToken[];
  /** Whether everybody on the machine may read the file. */
  readonly openToAll: boolean;
}

const MAX_FILE_SIZE = { bytes: 256 * 1024, text: '256KiB' };
const READABLE_BY_OTHERS = 0o004;

/** Reads and checks a tokens file. @throws Error that names the file and says what is wrong with it */
export function readTokens(path: string): TokensReading {
  const { bytes, mode } = readBounded(path, MAX_FILE_SIZE);
  const { tokens, problems } = parseTokens(bytes.toString('utf8'));
  const [first] = problems;
  if (first !== undefined) throw new Error(`${path} line ${first.line}: ${first.message}`);
  return { tokens, openToAll: (mode & READABLE_BY_OTHERS) !== 0 };
}
