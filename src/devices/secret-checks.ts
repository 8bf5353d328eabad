import { createHash, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { SluiceError } from '../core/errors.ts';
import { parseSecretHash, type SecretHash } from '../core/secret-hash.ts';
import { secretMatches } from './secrets.ts';

const deriveKey = promisify(pbkdf2);

/** Slow checks at once: they share the threads that files are read by. */
const MAX_RUNNING = 2;
/** Logins that wait for a slow check; the next is told to come again. */
const MAX_WAITING = 64;

/** Checks secrets. Those with an imported password cost time by design, which no flood of logins may take from others. */
export class SecretChecks {
  #runningCount = 0;
  readonly #waiting: (() => void)[] = [];

  /** Rejects with a SluiceError `busy` when too many wait. */
  async matches(secret: string, stored: string | null): Promise<boolean> {
    const hash = stored === null ? undefined : parseSecretHash(stored);
    switch (hash?.kind) {
      case undefined:
        return secretMatches(secret, null);
      case 'sha256':
        return secretMatches(secret, hash.hash);
      case 'sha512':
        return timingSafeEqual(createHash('sha512').update(secret, 'utf8').update(hash.salt).digest(), hash.hash);
      case 'pbkdf2':
        return await this.#slowly(() => pbkdf2Matches(secret, hash));
    }
  }

  async #slowly(check: () => Promise<boolean>): Promise<boolean> {
    await this.#turn();
    try {
      return await check();
    } finally {
      const next = this.#waiting.shift();
      // The next one takes this one's place.
      if (next === undefined) this.#runningCount -= 1;
      else next();
    }
  }

  async #turn(): Promise<void> {
    if (this.#runningCount < MAX_RUNNING) {
      this.#runningCount += 1;
      return;
    }
    if (this.#waiting.length >= MAX_WAITING) {
      throw new SluiceError('too many logins wait', { code: 'busy', retryable: true });
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

type Pbkdf2Hash = Extract<SecretHash, { kind: 'pbkdf2' }>;

async function pbkdf2Matches(secret: string, { iterations, salt, hash }: Pbkdf2Hash): Promise<boolean> {
  return timingSafeEqual(await deriveKey(secret, salt, iterations, hash.length, 'sha512'), hash);
}
