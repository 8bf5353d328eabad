import { createHash, createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { messageOf, SluiceError } from '../core/errors.ts';
import { readBounded } from './bounded-file.ts';

/** PEM files that make a server known to its clients. Absolute paths. */
export interface TlsFiles {
  /** The certificate, and behind it those between it and its authority. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Authorities whose clients' certificates are taken. */
  readonly caFile?: string | undefined;
}

/** What the files hold, checked. `cert`, `key` and `ca` are options of a secure context. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer | undefined;
  /** UTC milliseconds; the certificate's own, not the authority's. */
  readonly validFrom: number;
  readonly validUntil: number;
  /** The same for the same content of all files. */
  readonly digest: string;
}

export interface TlsProblem {
  readonly option: keyof TlsFiles;
  /** Completes "certFile: …"; names the file, and says what to do. */
  readonly message: string;
}

export type TlsReading =
  | { readonly material: TlsMaterial; readonly problems: readonly [] }
  | { readonly material: undefined; readonly problems: readonly TlsProblem[] };

const MAX_FILE_SIZE = { bytes: 1024 * 1024, text: '1MiB' };
const SOON_MS = 14 * 24 * 60 * 60 * 1000;
const CERTIFICATE = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED )?CERTIFICATE-----/g;

const LOCKED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/** Reads and checks all files, and names everything that is wrong. */
export function readTls(files: TlsFiles): TlsReading {
  const problems: TlsProblem[] = [];
  const attempt = <T>(option: keyof TlsFiles, work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      problems.push({ option, message: messageOf(error) });
      return undefined;
    }
  };
  const cert = attempt('certFile', () => readCertificates(files.certFile));
  const key = attempt('keyFile', () => readPrivateKey(files.keyFile));
  const { caFile } = files;
  const ca = caFile === undefined ? undefined : attempt('caFile', () => readCertificates(caFile));
  const material = attempt('keyFile', () => combine(files, { cert, key, ca }));
  if (material === undefined || problems.length > 0) return { material: undefined, problems };
  return { material, problems: [] };
}

/** @throws SluiceError `tls_files_unusable`; `usedBy` names the options, such as `mqtt.listeners[0].tls` */
export function loadTls(files: TlsFiles, usedBy: string): TlsMaterial {
  const { material, problems } = readTls(files);
  if (material !== undefined) return material;
  throw new SluiceError(problems.map(({ option, message }) => `${usedBy}.${option}: ${message}`).join('; '), {
    code: 'tls_files_unusable',
    hint: `mend the files, or set ${usedBy} to others`,
  });
}

/** What should be known of a certificate that is taken all the same: the clock may be wrong. `now`: UTC milliseconds. */
export function validityWarning(
  { validFrom, validUntil }: Pick<TlsMaterial, 'validFrom' | 'validUntil'>,
  now: number,
): string | undefined {
  if (now > validUntil) return 'the certificate has expired: clients will refuse it';
  if (now < validFrom) return 'the certificate is not valid yet: look at the clock';
  return now > validUntil - SOON_MS ? 'the certificate expires soon' : undefined;
}

export interface Certificates {
  readonly bytes: Buffer;
  /** In the order of the file. At least one. */
  readonly list: readonly [X509Certificate, ...X509Certificate[]];
}

export interface PrivateKey {
  readonly bytes: Buffer;
  readonly key: KeyObject;
}

/** @throws Error that says what is wrong with the file */
export function readCertificates(file: string): Certificates {
  const { bytes } = readBounded(file, MAX_FILE_SIZE);
  const [first, ...further] = bytes.toString('latin1').match(CERTIFICATE) ?? [];
  if (first === undefined) throw new Error(`${file} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)`);
  try {
    return { bytes, list: [new X509Certificate(first), ...further.map((pem) => new X509Certificate(pem))] };
  } catch (cause) {
    throw new Error(`${file} holds a certificate that cannot be read: copy it again`, { cause });
  }
}

/** @throws Error that says what is wrong with the file */
export function readPrivateKey(file: string): PrivateKey {
  const { bytes } = readBounded(file, MAX_FILE_SIZE);
  try {
    return { bytes, key: createPrivateKey(bytes) };
  } catch {
    if (LOCKED.test(bytes.toString('latin1'))) {
      throw new Error(`${file} is locked by a passphrase: take it off with openssl pkey -in FILE -out NEWFILE`);
    }
    throw new Error(`${file} holds no private key in PEM (-----BEGIN PRIVATE KEY-----)`);
  }
}

interface Parts {
  readonly cert: Certificates | undefined;
  readonly key: PrivateKey | undefined;
  readonly ca: Certificates | undefined;
}

function combine(files: TlsFiles, { cert, key, ca }: Parts): TlsMaterial | undefined {
  if (cert === undefined || key === undefined) return undefined;
  const [own] = cert.list;
  if (!own.checkPrivateKey(key.key)) {
    throw new Error(`${files.keyFile} is not the key of the first certificate in ${files.certFile}`);
  }
  const context = { cert: cert.bytes, key: key.bytes, ca: ca?.bytes };
  try {
    createSecureContext(context);
  } catch (cause) {
    throw new Error(`${files.keyFile} and ${files.certFile} cannot be used: ${messageOf(cause)}`, { cause });
  }
  return {
    ...context,
    validFrom: own.validFromDate.getTime(),
    validUntil: own.validToDate.getTime(),
    digest: digest(context),
  };
}

function digest({ cert, key, ca }: Pick<TlsMaterial, 'cert' | 'key' | 'ca'>): string {
  const hash = createHash('sha256');
  for (const part of [cert, key, ca ?? Buffer.alloc(0)]) hash.update(`${part.length} `).update(part);
  return hash.digest('hex');
}
