import { type Stats, stat, statSync } from 'node:fs';
import type { ApiToken } from '../../core/api-tokens.ts';
import { codeOf, messageOf, SluiceError } from '../../core/errors.ts';
import type { Logger } from '../../platform/logger.ts';
import { readTokens } from '../../platform/read-tokens.ts';

export interface TokensFileOptions {
  readonly path: string;
  readonly logger: Logger;
  /** How often is looked for changes. */
  readonly pollMs?: number;
}

const POLL_MS = 2_000;

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
    if (this.#tokens.length === 0) throw unusable(`${this.#path} holds no token`);
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
    // Before it is read: what changes from here on gives another version.
    this.#version = presentVersion(this.#path);
    try {
      const { tokens, openToAll } = readTokens(this.#path);
      if (openToAll)
        this.#logger.warn({ file: this.#path }, 'everybody on this machine can read the API tokens file: chmod o-r it');
      return tokens;
    } catch (error) {
      throw unusable(messageOf(error));
    }
  }
}

function presentVersion(path: string): string {
  try {
    return versionOf(statSync(path));
  } catch (error) {
    return versionOf(error);
  }
}

function versionOf(seen: unknown): string {
  const code = codeOf(seen);
  if (code !== undefined) return code;
  const { ino, size, mtimeMs, mode } = seen as Stats;
  return `${ino} ${size} ${mtimeMs} ${mode}`;
}

function unusable(reason: string): SluiceError {
  return new SluiceError(`api.tokensFile: ${reason}`, {
    code: 'tokens_file_unusable',
    hint: 'make one as docs/api.md says',
  });
}
