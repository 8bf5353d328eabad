import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { codeOf, messageOf } from '../../core/errors.ts';
import type { Logger } from '../../platform/logger.ts';
import { TlsCertificate } from '../../platform/tls-certificate.ts';
import { judgeCertificate } from './client-certificate.ts';
import { addressOf } from './doorway.ts';
import type { MqttTlsOptions } from './options.ts';
import type { Problems } from './problems.ts';

export interface TlsLayerOptions {
  readonly tls: MqttTlsOptions;
  /** The option that `tls` is, for messages. */
  readonly usedBy: string;
  readonly logger: Logger;
  readonly problems: Problems;
  /** The client's certificate, if it showed one, is good. */
  readonly onSecure: (socket: TLSSocket, certified: string | null) => void;
}

/** TLS upon sockets that were accepted elsewhere. */
export class TlsLayer {
  readonly #options: TlsLayerOptions;
  readonly #certificate: TlsCertificate;
  readonly #server: Server;

  constructor(options: TlsLayerOptions) {
    const { tls, usedBy, logger, problems } = options;
    this.#options = options;
    this.#certificate = new TlsCertificate({ files: tls, usedBy, logger });
    // Certificates are judged here and not by Node, which would close without a word about why.
    this.#server = createServer({ requestCert: tls.caFile !== undefined, rejectUnauthorized: false });
    this.#server.on('secureConnection', (socket) => this.#secured(socket));
    this.#server.on('tlsClientError', (error, socket) => problems.tlsFailed(addressOf(socket), explain(error)));
  }

  /** @throws SluiceError `tls_files_unusable` */
  start(): void {
    this.#server.setSecureContext(this.#certificate.load());
    this.#certificate.watch((material) => this.#server.setSecureContext(material));
  }

  stop(): void {
    this.#certificate.stop();
  }

  secure(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  #secured(socket: TLSSocket): void {
    const { tls, problems, onSecure } = this.#options;
    const verdict = judgeCertificate(socket, tls.requireClientCertificate);
    if (verdict.kind === 'good') {
      onSecure(socket, verdict.device);
      return;
    }
    problems.tlsFailed(addressOf(socket), verdict);
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

export interface TlsFailure {
  readonly reason: string;
  /** What to do; absent where a connection just ended. */
  readonly hint?: string;
}

const TRUST_HINT =
  'give the client the certificate of the authority, and let it connect by a name that stands in tls.certFile';
const ENDED: readonly (string | undefined)[] = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT'];

/** OpenSSL's words in those of people. */
function explain(error: Error): TlsFailure {
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
