/** A certificate authority of its own for a test, made with the program openssl: nothing is committed, nothing expires. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface CertificateOptions {
  /** The common name of the subject. */
  readonly name: string;
  /** What a server may be asked for: `DNS:localhost`, `IP:127.0.0.1`. Default: both of these. */
  readonly altNames?: readonly string[];
  /** What it may be used for, as openssl says it. Default: by servers and by clients. */
  readonly usage?: string;
  /** Over since yesterday. */
  readonly expired?: boolean;
}

export interface IssuedCertificate {
  readonly certFile: string;
  /** PKCS #8, PEM, no passphrase. */
  readonly keyFile: string;
}

const LOOPBACK = ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1'];
const USAGE = 'serverAuth,clientAuth';
const YEAR_DAYS = 365;

export class CertificateAuthority {
  readonly directory: string;
  /** The authority's own certificate, PEM. */
  readonly caFile: string;
  readonly #keyFile: string;
  #issuedCount = 0;

  constructor(name = 'Sluice test authority') {
    this.directory = mkdtempSync(join(tmpdir(), 'sluice-ca-'));
    this.caFile = join(this.directory, 'ca.pem');
    this.#keyFile = join(this.directory, 'ca-key.pem');
    newKey(this.#keyFile);
    const lifetime = ['-days', String(YEAR_DAYS)];
    openssl('req', '-x509', '-key', this.#keyFile, '-out', this.caFile, '-subj', `/CN=${name}`, ...lifetime);
  }

  issue({ name, altNames = LOOPBACK, usage = USAGE, expired = false }: CertificateOptions): IssuedCertificate {
    this.#issuedCount += 1;
    const path = (ending: string): string => join(this.directory, `${this.#issuedCount}${ending}`);
    const keyFile = path('-key.pem');
    const certFile = path('.pem');
    newKey(keyFile);
    openssl('req', '-new', '-key', keyFile, '-out', path('.csr'), '-subj', `/CN=${name}`);
    const usages = `keyUsage=digitalSignature,keyAgreement\nextendedKeyUsage=${usage}`;
    writeFileSync(path('.ext'), `${usages}\nsubjectAltName=${altNames.join(',')}\n`);
    const signing = ['-CA', this.caFile, '-CAkey', this.#keyFile, '-set_serial', String(this.#issuedCount)];
    const files = ['-in', path('.csr'), '-out', certFile, '-extfile', path('.ext')];
    openssl('x509', '-req', ...files, ...signing, '-days', String(expired ? -1 : YEAR_DAYS));
    return { certFile, keyFile };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function newKey(file: string): void {
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file);
}

function openssl(...args: readonly string[]): void {
  const run = spawnSync('openssl', args, { encoding: 'utf8' });
  if (run.error !== undefined)
    throw new Error("'openssl' does not run: please install it (Debian: apt-get install openssl)");
  if (run.status !== 0) throw new Error(`openssl ${args[0]} failed:\n${run.stderr}`);
}
