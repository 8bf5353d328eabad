import type { TLSSocket } from 'node:tls';
import { isDeviceId } from '../../core/device-id.ts';
import { printable } from '../../core/printable.ts';

export type CertificateVerdict =
  /** null: the client showed none, and need not. */
  | { readonly kind: 'good'; readonly device: string | null }
  | { readonly kind: 'refused'; readonly reason: string; readonly hint: string };

/** Whom a client's certificate names: the device whose id is the common name of the subject (RFC 5280, 4.1.2.6). */
export function judgeCertificate(socket: TLSSocket, required: boolean): CertificateVerdict {
  if (socket.getPeerX509Certificate() === undefined) {
    if (!required) return { kind: 'good', device: null };
    return refused('no client certificate', 'give the client a certificate and key of an authority in tls.caFile');
  }
  if (!socket.authorized) return unverified(String(socket.authorizationError));
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  if (typeof name === 'string' && isDeviceId(name)) return { kind: 'good', device: name };
  return refused(
    `the common name of the client certificate is no device id: ${printable(String(name))}`,
    'issue one whose only common name is the device id: 1 to 128 characters of A-Z a-z 0-9 . _ -',
  );
}

/** `code`: what OpenSSL found, X509_STORE_CTX_get_error(3). */
function unverified(code: string): CertificateVerdict {
  const reason = `the client certificate cannot be trusted: ${code}`;
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return refused(reason, 'give the client a new certificate');
    case 'CERT_NOT_YET_VALID':
      return refused(reason, "look at this machine's clock");
    case 'INVALID_PURPOSE':
      return refused(reason, 'issue it with extendedKeyUsage clientAuth');
    default:
      return refused(reason, 'give the client a certificate of an authority in tls.caFile');
  }
}

function refused(reason: string, hint: string): CertificateVerdict {
  return { kind: 'refused', reason, hint };
}
