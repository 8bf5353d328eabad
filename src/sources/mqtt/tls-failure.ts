import { codeOf, messageOf } from '../../core/errors.ts';
import type { TlsFailure } from './problems.ts';

const TRUST_HINT =
  'give the client the certificate of the authority, and let it connect by a name that stands in tls.certFile';
const ENDED: readonly (string | undefined)[] = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT'];

/** Why a handshake failed: OpenSSL's words in those of people. */
export function explain(error: Error): TlsFailure {
  const code = codeOf(error);
  if (ENDED.includes(code)) return { reason: 'the connection ended before TLS was ready' };
  if (/ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+|UNSUPPORTED_CERTIFICATE)/.test(code ?? '')) {
    return { reason: `the client does not trust the certificate: ${code}`, hint: TRUST_HINT };
  }
  if (/HTTP_REQUEST|WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_TOO/.test(code ?? '')) {
    return { reason: 'what came is no TLS', hint: 'switch TLS on in the client, or use a port without TLS' };
  }
  if (/UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|NO_SHARED_CIPHER/.test(code ?? '')) {
    return { reason: `the client's TLS is too old: ${code}`, hint: 'use TLS 1.2 or 1.3' };
  }
  return { reason: messageOf(error), hint: 'look at the TLS settings of the client' };
}
