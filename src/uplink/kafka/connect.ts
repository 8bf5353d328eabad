import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { TlsIdentity } from './credentials.ts';

export interface Destination {
  readonly host: string;
  readonly port: number;
  /** Undefined: not encrypted. */
  readonly tls: TlsIdentity | undefined;
}

/** A connection to a broker; `onConnect` is called when it can be used, over TLS when the broker is who it says. */
export function connectTo({ host, port, tls }: Destination, onConnect: () => void): Socket {
  if (tls === undefined) return connect({ host, port }, onConnect);
  // An address is no name that SNI could ask for (RFC 6066, 3); Node checks it in the certificate all the same.
  const servername = tls.servername ?? (isIP(host) === 0 ? host : undefined);
  const options = { host, port, secureContext: tls.secureContext };
  return connectTls(servername === undefined ? options : { ...options, servername }, onConnect);
}
