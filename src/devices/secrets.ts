import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { SluiceError } from '../core/errors.ts';

const SECRET_BYTES = 32;
const MIN_SECRET_LENGTH = 16;
const UNKNOWN_HASH = Buffer.alloc(32);

/** 256 random bits in base64url. */
export function generateSecret(): string {
  return randomBytes(SECRET_BYTES).toString('base64url');
}

/** @throws SluiceError `weak_secret` */
export function checkSecret(secret: string): void {
  if (secret.length >= MIN_SECRET_LENGTH) return;
  throw new SluiceError(`the secret is shorter than ${MIN_SECRET_LENGTH} characters`, {
    code: 'weak_secret',
    hint: 'Leave the secret out to have a strong one made.',
  });
}

/** A plain hash is enough: what is hashed is random, so there is nothing to guess. */
export function hashSecret(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

/** Takes the same time whether there is a hash or not, and wherever it differs. */
export function secretMatches(secret: string, hash: Buffer | null): boolean {
  const matches = timingSafeEqual(hashSecret(secret), hash ?? UNKNOWN_HASH);
  return matches && hash !== null;
}
