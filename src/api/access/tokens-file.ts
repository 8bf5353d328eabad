import { readFileSync, type Stats, stat, statSync } from 'node:fs';
import { type ApiToken, parseTokens } from '../../core/api-tokens.ts';
import { codeOf, messageOf, SluiceError } from '../../core/errors.ts';
import type { Logger } from '../../platform/logger.ts';

export interface TokensFileOptions {
  readonly path: string;
  readonly logger: Logger;
  /** How often is looked for changes. */
  readonly pollMs?: number;
}

const POLL_MS = 2_000;
const MAX_FILE_BYTES = 256 * 1024;
const READABLE_BY_OTHERS = 0o004;

/**
 * The tokens of `api.tokensFile`, read again when the file changes, so that a line that is taken out is worth nothing
 * from then on. A file that cannot be read or is wrong changes nothing: the tokens of before stay, and the log says so.
 */
export class TokensFile {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #pollMs: number;
  #tokens: readonly ApiToken[] = [];
  /** Of the file as it was read last. */
  #version = '';
  #timer: NodeJS.Timeout | undefined;

  constructor({ path, logger, pollMs = POLL_MS }: TokensFileOptions) {
    this.#path = path;
    this.#logger = logger;
    this.#pollMs = pollMs;
  }

  /** @throws SluiceError `tokens_file_unusable` */
  start(): void {
    this.#tokens = this.#read();
    if (this.#tokens.length === 0) throw this.#unusable('holds no token');
    this.#timer = setInterval(() => this.#look(), this.#pollMs).unref();
    this.#logger.info({ file: this.#path, tokens: this.#tokens.length }, 'API tokens read');
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  tokens(): readonly ApiToken[] {
    return this.#tokens;
  }

  #look(): void {
    stat(this.#path, (error, stats) => {
      if (this.#timer !== undefined && versionOf(error ?? stats) !== this.#version) this.#readAgain();
    });
  }

  #readAgain(): void {
    try {
      this.#tokens = this.#read();
      this.#logger.info({ file: this.#path, tokens: this.#tokens.length }, 'API tokens read again');
    } catch (error) {
      this.#logger.warn({ error }, 'the changed API tokens cannot be used: those of before stay');
    }
  }

  #read(): readonly ApiToken[] {
    const { text, stats } = this.#readText();
    const { tokens, problems } = parseTokens(text);
    const [first] = problems;
    if (first !== undefined) throw this.#unusable(`line ${first.line}: ${first.message}`);
    if ((stats.mode & READABLE_BY_OTHERS) !== 0) {
      this.#logger.warn({ file: this.#path }, 'everybody on this machine can read the API tokens file: chmod o-r it');
    }
    return tokens;
  }

  #readText(): { readonly text: string; readonly stats: Stats } {
    try {
      const stats = statSync(this.#path);
      // What changes from here on gives another version.
      this.#version = versionOf(stats);
      if (!stats.isFile()) throw new Error('is not a file');
      if (stats.size > MAX_FILE_BYTES) throw new Error(`is larger than ${MAX_FILE_BYTES / 1024}KiB`);
      return { text: readFileSync(this.#path, 'utf8'), stats };
    } catch (error) {
      if (codeOf(error) !== undefined) this.#version = versionOf(error);
      throw this.#unusable(unreadable(error));
    }
  }

  #unusable(reason: string): SluiceError {
    return new SluiceError(`api.tokensFile: ${this.#path} ${reason}`, {
      code: 'tokens_file_unusable',
      hint: 'docs/api.md says how to make it',
    });
  }
}

function versionOf(seen: unknown): string {
  const code = codeOf(seen);
  if (code !== undefined) return code;
  const { ino, size, mtimeMs, mode } = seen as Stats;
  return `${ino} ${size} ${mtimeMs} ${mode}`;
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
