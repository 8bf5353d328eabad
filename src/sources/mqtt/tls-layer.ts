import { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Logger } from '../../platform/logger.ts';
import { TlsCertificate } from '../../platform/tls-certificate.ts';
import { judgeCertificate } from './client-certificate.ts';
import { addressOf } from './doorway.ts';
import type { MqttTlsOptions } from './options.ts';
import type { Problems } from './problems.ts';
import { explain } from './tls-failure.ts';

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
    this.#server.on('tlsClientError', (error, socket) => problems.tlsFailed(addressBelow(socket), explain(error)));
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

/** Once a connection has ended, only the socket below TLS knows where it came from: it was asked before. */
function addressBelow(socket: TLSSocket): string {
  const below: unknown = Reflect.get(socket, '_parent');
  return addressOf(below instanceof Socket ? below : socket);
}
