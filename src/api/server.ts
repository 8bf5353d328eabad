import { rmSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import { hostname } from 'node:os';
import { getRequestListener, RequestError } from '@hono/node-server';
import { SluiceError } from '../core/errors.ts';
import type { Stage } from '../core/ports.ts';
import type { GatewayViews } from '../core/views.ts';
import { ClientLimits } from './access/client-limits.ts';
import { TokenGate } from './access/token-gate.ts';
import { TokensFile } from './access/tokens-file.ts';
import { createApi, createControlApi } from './app.ts';
import type { Api, ApiDeps } from './context.ts';
import { RequesterGuard } from './guard.ts';
import { addressOf, closeServer, listenOnSocket, listenOnTcp, type RequestListener } from './listener.ts';
import { isInternal, problemResponse } from './problems.ts';

export interface ApiListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Whether requests may come without a token. */
  readonly anonymous: boolean;
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
  #tokens: TokensFile | undefined;
  #controlSocketMade: boolean = false;

  constructor(options: ApiServerOptions, views: GatewayViews, deps: ApiDeps) {
    this.#options = options;
    this.#views = views;
    this.#deps = deps;
  }

  /**
   * @throws SluiceError `tokens_file_unusable`, `port_in_use`, `port_not_allowed`, `address_not_available`,
   * `control_socket_failed`, `listen_failed`
   */
  async start(): Promise<void> {
    const { listeners, controlSocket } = this.#options;
    const anonymous = this.#anonymousListener();
    const guarded = listeners.every((listener) => listener.anonymous) ? undefined : this.#guardedListener();
    for (const { host, port, anonymous: isAnonymous } of listeners) {
      const listener = isAnonymous || guarded === undefined ? anonymous : guarded;
      const server = await listenOnTcp({ listener, onError: this.#onError }, host, port);
      this.#servers.push(server);
      this.#deps.logger.info({ host, port: addressOf(server)?.port, anonymous: isAnonymous }, 'API listening');
    }
    const control = this.#listenerFor(createControlApi(this.#views, this.#deps), () => undefined);
    this.#servers.push(await listenOnSocket({ listener: control, onError: this.#onError }, controlSocket));
    this.#controlSocketMade = true;
  }

  /** Within a second, whatever clients do. */
  async stop(): Promise<void> {
    this.#tokens?.stop();
    if (this.#controlSocketMade) rmSync(this.#options.controlSocket, { force: true });
    this.#controlSocketMade = false;
    await Promise.all(this.#servers.splice(0).map(closeServer));
  }

  /** Where it listens on TCP, in the order of the options. */
  addresses(): readonly { readonly host: string; readonly port: number }[] {
    return this.#servers.flatMap((server) => {
      const address = addressOf(server);
      return address === undefined ? [] : [{ host: address.address, port: address.port }];
    });
  }

  readonly #onError = (error: Error): void => {
    this.#deps.logger.warn({ reason: error.message }, 'a connection to the API failed');
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
    const listener = getRequestListener(
      (request, bindings) => {
        check(bindings.incoming as IncomingMessage);
        return app.fetch(request, bindings);
      },
      { errorHandler: answer },
    );
    return (incoming, outgoing) => void listener(incoming, outgoing);
  }
}

function badRequest(error: RequestError): SluiceError {
  return new SluiceError('the request cannot be read', { code: 'bad_request', hint: error.message });
}
