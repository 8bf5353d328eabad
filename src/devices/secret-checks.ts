import { createHash, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { parseSecretHash, type SecretHash } from '../core/secret-hash.ts';
import { FairTurns, type IsGone } from './fair-turns.ts';
import { ProvenSecrets } from './proven-secrets.ts';
import { secretMatches } from './secrets.ts';
import { WrongSecrets } from './wrong-secrets.ts';

const deriveKey = promisify(pbkdf2);

type Pbkdf2Hash = Extract<SecretHash, { kind: 'pbkdf2' }>;

export interface Attempt {
  readonly device: string;
  readonly secret: string;
  /** As `parseSecretHash` reads it; null when the device has none. */
  readonly stored: string | null;
  /** Whether nobody waits for the answer any more. */
  readonly isGone?: IsGone | undefined;
}

/** Checks secrets. Those with an imported password cost time by design, which no flood of logins may take from others. */
export class SecretChecks {
  readonly #turns = new FairTurns();
  readonly #proven = new ProvenSecrets();
  readonly #wrong: WrongSecrets;

  /** `now`: milliseconds that only grow. */
  constructor(now: () => number = () => performance.now()) {
    this.#wrong = new WrongSecrets(now);
  }

  /** Rejects with a SluiceError `busy` when too many wait, or wrong ones for this device came a moment ago. */
  async matches(attempt: Attempt): Promise<boolean> {
    const { secret, stored } = attempt;
    const hash = stored === null ? undefined : parseSecretHash(stored);
    switch (hash?.kind) {
      case undefined:
        return secretMatches(secret, null);
      case 'sha256':
        return secretMatches(secret, hash.hash);
      case 'sha512':
        return timingSafeEqual(createHash('sha512').update(secret, 'utf8').update(hash.salt).digest(), hash.hash);
      case 'pbkdf2':
        return this.#isProven(attempt) || (await this.#slowly(attempt, hash));
    }
  }

  async #slowly(attempt: Attempt, hash: Pbkdf2Hash): Promise<boolean> {
    const { device, isGone = () => false } = attempt;
    this.#wrong.check(device);
    return await this.#turns.run(device, isGone, () => this.#prove(attempt, hash));
  }

  async #prove(attempt: Attempt, hash: Pbkdf2Hash): Promise<boolean> {
    const { device, secret, stored } = attempt;
    // While it waited, others of the same device had their turn.
    if (this.#isProven(attempt)) return true;
    this.#wrong.check(device);
    const matches = await pbkdf2Matches(secret, hash);
    if (matches) {
      this.#proven.add(String(stored), secret);
      this.#wrong.forget(device);
    } else {
      this.#wrong.note(device);
    }
    return matches;
  }

  #isProven({ stored, secret }: Attempt): boolean {
    return stored !== null && this.#proven.has(stored, secret);
  }
}

async function pbkdf2Matches(secret: string, { iterations, salt, hash }: Pbkdf2Hash): Promise<boolean> {
  return timingSafeEqual(await deriveKey(secret, salt, iterations, hash.length, 'sha512'), hash);
}
