import { rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { hostname } from 'node:os';
import { getRequestListener, RequestError } from '@hono/node-server';
import { SluiceError } from '../core/errors.ts';
import type { Stage } from '../core/ports.ts';
import { printable } from '../core/printable.ts';
import type { GatewayViews } from '../core/views.ts';
import { RepeatSummary } from '../platform/repeat-summary.ts';
import { TlsCertificate } from '../platform/tls-certificate.ts';
import type { TlsFiles } from '../platform/tls-files.ts';
import { ClientLimits } from './access/client-limits.ts';
import { TokenGate } from './access/token-gate.ts';
import { TokensFile } from './access/tokens-file.ts';
import { createApi, createControlApi } from './app.ts';
import type { Api, ApiDeps } from './context.ts';
import { RequesterGuard } from './guard.ts';
import { addressOf, closeServer, listenOnSocket, listenOnTcp, type RequestListener, type Server } from './listener.ts';
import { measureRefusal } from './measure.ts';
import { isInternal, problemResponse } from './problems.ts';

export interface ApiListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Whether requests may come without a token. */
  readonly anonymous: boolean;
  readonly tls?: TlsFiles | undefined;
}

export interface ApiServerOptions {
  readonly listeners: readonly ApiListenerOptions[];
  /** Needed when a listener is not anonymous. */
  readonly tokensFile?: string | undefined;
  /** Host names that the API answers to beside its own. */
  readonly allowedHosts: readonly string[];
  readonly corsOrigins: readonly string[];
  /** Requests per second of one client on listeners that are not anonymous; 0 is unlimited. */
  readonly maxRequestRate: number;
  /** Path of the Unix socket. */
  readonly controlSocket: string;
}

/** Serves the API on TCP, and with more rights on the control socket. */
export class ApiServer implements Stage {
  readonly #options: ApiServerOptions;
  readonly #views: GatewayViews;
  readonly #deps: ApiDeps;
  readonly #servers: Server[] = [];
  readonly #certificates: TlsCertificate[] = [];
  readonly #repeats: RepeatSummary;
  #tokens: TokensFile | undefined;
  #controlSocketMade: boolean = false;

  constructor(options: ApiServerOptions, views: GatewayViews, deps: ApiDeps) {
    this.#options = options;
    this.#views = views;
    this.#deps = deps;
    this.#repeats = new RepeatSummary({ logger: deps.logger });
  }

  /**
   * @throws SluiceError `tokens_file_unusable`, `tls_files_unusable`, `port_in_use`, `port_not_allowed`, `address_not_available`,
   * `control_socket_failed`, `listen_failed`
   */
  async start(): Promise<void> {
    const { listeners, controlSocket } = this.#options;
    const anonymous = this.#anonymousListener();
    const guarded = listeners.every((listener) => listener.anonymous) ? undefined : this.#guardedListener();
    for (const [index, options] of listeners.entries()) {
      await this.#listen(options, index, options.anonymous || guarded === undefined ? anonymous : guarded);
    }
    const control = this.#listenerFor(createControlApi(this.#views, this.#deps), () => undefined);
    this.#servers.push(await listenOnSocket({ listener: control, onError: this.#onError }, controlSocket));
    this.#controlSocketMade = true;
  }

  /** Within a second, whatever clients do. */
  async stop(): Promise<void> {
    this.#tokens?.stop();
    for (const certificate of this.#certificates.splice(0)) certificate.stop();
    if (this.#controlSocketMade) rmSync(this.#options.controlSocket, { force: true });
    this.#controlSocketMade = false;
    await Promise.all(this.#servers.splice(0).map(closeServer));
    this.#repeats.stop();
  }

  /** Where it listens on TCP, in the order of the options. */
  addresses(): readonly { readonly host: string; readonly port: number }[] {
    return this.#servers.flatMap((server) => {
      const address = addressOf(server);
      return address === undefined ? [] : [{ host: address.address, port: address.port }];
    });
  }

  async #listen(options: ApiListenerOptions, index: number, listener: RequestListener): Promise<void> {
    const { host, port, anonymous, tls } = options;
    const { logger } = this.#deps;
    const usedBy = `api.listeners[${index}].tls`;
    const certificate = tls === undefined ? undefined : new TlsCertificate({ files: tls, usedBy, logger });
    const server = await listenOnTcp({ listener, onError: this.#onError, tls: certificate?.load() }, host, port);
    this.#servers.push(server);
    if (certificate !== undefined && server instanceof HttpsServer) this.#secure(server, certificate);
    logger.info({ host, port: addressOf(server)?.port, anonymous, tls: tls !== undefined }, 'API listening');
  }

  /** New connections get the certificate as it is now. */
  #secure(server: HttpsServer, certificate: TlsCertificate): void {
    certificate.watch((material) => server.setSecureContext(material));
    this.#certificates.push(certificate);
    server.on('tlsClientError', (error) => {
      // A stop cuts handshakes under way; that is no fault of the client.
      if (!server.listening) return;
      this.#repeats.warn(
        'tls',
        { reason: printable(error.message, 200) },
        'an API client did not come to terms about TLS',
      );
    });
  }

  readonly #onError = (error: Error): void => {
    this.#repeats.warn('connection', { reason: printable(error.message, 200) }, 'a connection to the API failed');
  };

  #anonymousListener(): RequestListener {
    const { allowedHosts: hosts, corsOrigins: origins } = this.#options;
    const guard = new RequesterGuard({ hosts, origins });
    const app = createApi(this.#views, this.#deps, { corsOrigins: origins });
    return this.#listenerFor(app, (incoming) => guard.check(incoming));
  }

  /** @throws SluiceError `tokens_file_unusable` */
  #guardedListener(): RequestListener {
    const { allowedHosts, corsOrigins: origins, maxRequestRate } = this.#options;
    const { logger } = this.#deps;
    const tokens = new TokensFile({ path: this.#options.tokensFile ?? '', logger });
    tokens.start();
    this.#tokens = tokens;
    const gate = new TokenGate({
      tokens: () => tokens.tokens(),
      limits: new ClientLimits({ ratePerS: maxRequestRate }),
      onLockOut: (client) => logger.warn({ client }, 'API client locked out: it sent too many wrong tokens'),
    });
    // On the network the machine goes by its name, alone or as mDNS announces it.
    const guard = new RequesterGuard({ hosts: [hostname(), `${hostname()}.local`, ...allowedHosts], origins });
    const app = createApi(this.#views, this.#deps, { gate, corsOrigins: origins });
    return this.#listenerFor(app, (incoming) => guard.check(incoming));
  }

  #listenerFor(app: Api, check: (incoming: IncomingMessage) => void): RequestListener {
    const answer = (error: unknown): Response => {
      const known = error instanceof RequestError ? badRequest(error) : error;
      if (isInternal(known)) this.#deps.logger.error({ error }, 'request failed');
      return problemResponse(known);
    };
    return getRequestListener(
      (request, bindings) => {
        try {
          check(bindings.incoming as IncomingMessage);
        } catch (error) {
          return measureRefusal(this.#deps.metrics, request.method, answer(error));
        }
        return app.fetch(request, bindings);
      },
      // What a request without `Host` is taken to ask for, so that it comes before the guard.
      { errorHandler: answer, hostname: 'localhost' },
    );
  }
}

function badRequest(error: RequestError): SluiceError {
  return new SluiceError('the request cannot be read', { code: 'bad_request', hint: error.message });
}
