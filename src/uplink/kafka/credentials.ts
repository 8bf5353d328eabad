/** What this gateway shows the brokers, and what they must show it. Read anew for every use, so that files can be renewed. */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { messageOf, SluiceError } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import { unreadable } from '../../platform/bounded-file.ts';
import type { SaslOptions, TlsOptions } from '../options.ts';

/** For `tls.connect`. */
export interface TlsIdentity {
  readonly secureContext: SecureContext;
  /** Undefined: the host that is connected to. */
  readonly servername: string | undefined;
}

export type Login =
  | { readonly mechanism: 'oauthbearer'; readonly token: string }
  | {
      readonly mechanism: Exclude<SaslOptions['mechanism'], 'oauthbearer'>;
      readonly username: string;
      readonly password: string;
    };

/** @throws SluiceError `file_unusable`, naming the option and the file */
export function readTls({ caFile, certFile, keyFile, serverName }: TlsOptions): TlsIdentity {
  const ca = readPem('tls.caFile', caFile);
  const cert = readPem('tls.certFile', certFile);
  const key = readOptional('tls.keyFile', keyFile);
  try {
    return { secureContext: createSecureContext({ ca, cert, key }), servername: serverName };
  } catch (error) {
    throw unusable(`tls.keyFile (${keyFile}) is not the unencrypted PEM key of tls.certFile (${messageOf(error)})`);
  }
}

/** @throws SluiceError `file_unusable`, naming the option and the file, never what stands in it */
export function readLogin({ mechanism, username = '', password, passwordFile, tokenFile }: SaslOptions): Login {
  if (mechanism === 'oauthbearer') return { mechanism, token: readSecret('sasl.tokenFile', tokenFile) };
  return { mechanism, username, password: password ?? readSecret('sasl.passwordFile', passwordFile) };
}

/** Node takes an authority's file that holds no certificate for an empty list. */
function readPem(option: string, file: string | undefined): string | undefined {
  const text = readOptional(option, file);
  if (text === undefined) return undefined;
  try {
    new X509Certificate(text);
    return text;
  } catch {
    throw unusable(`${option} (${file}) holds no PEM certificate`);
  }
}

function readSecret(option: string, file: string | undefined): string {
  const secret = readOptional(option, file)?.replace(/\r?\n$/, '') ?? '';
  if (secret === '') throw unusable(`${option} (${file}) is empty`);
  return secret;
}

function readOptional(option: string, file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unusable(`${option} (${file}) ${unreadable(error)}`);
  }
}

function unusable(message: string): SluiceError {
  return new SluiceError(printable(message, 500), { code: 'file_unusable', hint: 'mend that file; it is read again' });
}
