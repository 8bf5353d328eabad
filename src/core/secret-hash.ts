/** How `state.db` keeps secrets: as SHA-256 of random bits, or as mosquitto_passwd wrote them. */
export type SecretHash =
  | { readonly kind: 'sha256'; readonly hash: Buffer }
  /** `$7$`: PBKDF2 with HMAC-SHA-512. */
  | { readonly kind: 'pbkdf2'; readonly iterations: number; readonly salt: Buffer; readonly hash: Buffer }
  /** `$6$`: SHA-512 of the password and the salt behind it. */
  | { readonly kind: 'sha512'; readonly salt: Buffer; readonly hash: Buffer };

/** About half a second of one core. */
const MAX_ITERATIONS = 1_000_000;
const SHA512_BYTES = 64;
const MAX_SALT_BYTES = 128;
const SHA256 = /^[0-9a-f]{64}$/;
const MOSQUITTO = /^\$(?:6|7\$([1-9]\d{0,6}))\$([A-Za-z0-9+/]{1,172}={0,2})\$([A-Za-z0-9+/]{86}==)$/;

/** Undefined for anything else. */
export function parseSecretHash(text: string): SecretHash | undefined {
  if (SHA256.test(text)) return { kind: 'sha256', hash: Buffer.from(text, 'hex') };
  const [, iterations, saltText = '', hashText = ''] = MOSQUITTO.exec(text) ?? [];
  const salt = Buffer.from(saltText, 'base64');
  const hash = Buffer.from(hashText, 'base64');
  if (hash.length !== SHA512_BYTES || salt.length === 0 || salt.length > MAX_SALT_BYTES) return undefined;
  if (iterations === undefined) return { kind: 'sha512', salt, hash };
  return Number(iterations) > MAX_ITERATIONS
    ? undefined
    : { kind: 'pbkdf2', iterations: Number(iterations), salt, hash };
}
