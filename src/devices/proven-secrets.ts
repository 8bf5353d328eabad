import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const MAX_KNOWN = 10_000;

/**
 * Secrets that a slow check found right, so that a device that comes again costs nothing. In memory only, and only as
 * HMAC-SHA-256 under a key that nobody else has and that ends with the process.
 */
export class ProvenSecrets {
  readonly #key = randomBytes(32);
  /** By the stored hash, so that what was proven ends with it. */
  readonly #known = new Map<string, Buffer>();

  has(storedHash: string, secret: string): boolean {
    const known = this.#known.get(storedHash);
    return known !== undefined && timingSafeEqual(known, this.#digest(secret));
  }

  add(storedHash: string, secret: string): void {
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= MAX_KNOWN) this.#known.delete(oldest);
    this.#known.set(storedHash, this.#digest(secret));
  }

  #digest(secret: string): Buffer {
    return createHmac('sha256', this.#key).update(secret, 'utf8').digest();
  }
}
