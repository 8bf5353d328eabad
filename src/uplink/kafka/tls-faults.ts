import { SluiceError } from '../../core/errors.ts';

interface TlsFault {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

const UNKNOWN_AUTHORITY: TlsFault = {
  code: 'tls_unknown_authority',
  message: "the broker's certificate was signed by an authority that is not trusted here",
  hint: "set tls.caFile to the certificate of the authority that signed the brokers' certificates",
};
const CLIENT_CERTIFICATE: TlsFault = {
  code: 'tls_client_certificate',
  message: "the broker does not take this gateway's certificate, or misses one",
  hint: 'set tls.certFile and tls.keyFile to a certificate that has not expired, of an authority that the brokers trust',
};
const CLOCK_HINT = 'check the clock of this gateway, else renew the certificate at the brokers';

/** By Node's codes, which for the checks of a certificate are those of OpenSSL. */
const FAULTS: Readonly<Record<string, TlsFault>> = {
  CERT_HAS_EXPIRED: { code: 'tls_expired', message: "the broker's certificate has expired", hint: CLOCK_HINT },
  CERT_NOT_YET_VALID: { code: 'tls_expired', message: "the broker's certificate is not valid yet", hint: CLOCK_HINT },
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  CERT_SIGNATURE_FAILURE: UNKNOWN_AUTHORITY,
  ERR_TLS_CERT_ALTNAME_INVALID: {
    code: 'tls_wrong_name',
    message: "the broker's certificate is for another name",
    hint: "use a name that stands in it in brokers and in the brokers' advertised.listeners, or set tls.serverName",
  },
};
const OTHER: TlsFault = {
  code: 'tls_failed',
  message: 'no encrypted connection comes about',
  hint: 'check that brokers names the port for TLS, and compare the protocol versions',
};

/** What the broker says of our certificate (RFC 8446, 6.2), in the code that Node makes of the alert. */
const ALERT_ABOUT_OURS = /^ERR_SSL_.*ALERT.*_(?:CERTIFICATE|UNKNOWN_CA)/;

/** A failure of TLS in plain words; people must mend it, here or at the brokers. Undefined when it is none. */
export function tlsError(code = '', detail: string): SluiceError | undefined {
  const fault = FAULTS[code] ?? alertOf(code);
  if (fault === undefined) return undefined;
  return new SluiceError(`${fault.message} (${reasonOf(detail)})`, { code: fault.code, hint: fault.hint });
}

function alertOf(code: string): TlsFault | undefined {
  if (ALERT_ABOUT_OURS.test(code)) return CLIENT_CERTIFICATE;
  return code.startsWith('ERR_SSL_') ? OTHER : undefined;
}

/** `403D29AF177F0000:error:0A000416:SSL routines:ssl3_read_bytes:{reason}:../deps/…` */
function reasonOf(detail: string): string {
  return /:SSL routines:[^:]*:([^:]+):/.exec(detail)?.[1] ?? detail;
}
