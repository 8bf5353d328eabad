import { readFileSync } from 'node:fs';
import { isDeviceId, normaliseDeviceId } from '../core/device-id.ts';
import { messageOf, SluiceError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { parseSecretHash } from '../core/secret-hash.ts';

/** A user of a password file, fit to be a device. */
export interface MosquittoUser {
  readonly line: number;
  readonly id: string;
  readonly secretHash: string;
}

export interface LeftOut {
  readonly line: number;
  /** As the file has it. */
  readonly name: string;
  /** Stable, `snake_case`. */
  readonly reason: string;
  readonly detail: string;
}

export interface MosquittoFile {
  readonly users: readonly MosquittoUser[];
  readonly leftOut: readonly LeftOut[];
}

const MAX_FILE_BYTES = 16 * 1024 * 1024;

/** The users of a file that mosquitto_passwd wrote: `name:$7$…` or `name:$6$…`, one a line. @throws SluiceError */
export function readMosquittoFile(file: string): MosquittoFile {
  const users: MosquittoUser[] = [];
  const leftOut: LeftOut[] = [];
  const seen = new Set<string>();
  for (const [index, text] of readText(file).split(/\r?\n/).entries()) {
    if (text.trim() === '' || text.startsWith('#')) continue;
    const line = index + 1;
    const [name = '', ...rest] = text.split(':');
    const secretHash = rest.join(':').trim();
    const problem = seen.has(name) ? TWICE : problemOf(name, secretHash);
    seen.add(name);
    if (problem === undefined) users.push({ line, id: name, secretHash });
    else leftOut.push({ line, name, ...problem });
  }
  return { users, leftOut };
}

type Problem = Pick<LeftOut, 'reason' | 'detail'>;

const TWICE: Problem = { reason: 'named_twice', detail: 'stands further up already' };

function problemOf(name: string, secretHash: string): Problem | undefined {
  if (!isDeviceId(name)) return badId(name);
  if (parseSecretHash(secretHash)?.kind === 'pbkdf2' || parseSecretHash(secretHash)?.kind === 'sha512')
    return undefined;
  if (secretHash === '') return { reason: 'no_password', detail: 'has no password' };
  if (!secretHash.startsWith('$')) {
    return {
      reason: 'not_hashed',
      detail: 'its password is not hashed: run mosquitto_passwd -U on a copy of the file first',
    };
  }
  const detail =
    'its hash is none that can be checked ($7$ with up to 1,000,000 rounds, $6$): give the device a new secret';
  return { reason: 'unknown_hash', detail };
}

function badId(name: string): Problem {
  const id = normaliseDeviceId(name);
  const offer = id === undefined ? '' : `, such as ${id}`;
  return {
    reason: 'bad_device_id',
    detail: `is no device id (1 to 128 characters of A-Z a-z 0-9 . _ -): give the device another user name${offer}`,
  };
}

function readText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new SluiceError(`${printable(file)} cannot be read: ${messageOf(error)}`, {
      code: 'unreadable_file',
      hint: 'it may belong to root or mosquitto: copy it to where this user may read it',
    });
  }
  if (bytes.length <= MAX_FILE_BYTES) return bytes.toString('utf8');
  throw new SluiceError(`${printable(file)} is larger than 16 MiB`, { code: 'unreadable_file' });
}
