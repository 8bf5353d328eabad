import { rmSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import { getRequestListener, RequestError } from '@hono/node-server';
import { SluiceError } from '../core/errors.ts';
import type { Stage } from '../core/ports.ts';
import type { GatewayViews } from '../core/views.ts';
import { createApi, createControlApi } from './app.ts';
import type { Api, ApiDeps } from './context.ts';
import { checkRequester } from './guard.ts';
import { addressOf, closeServer, listenOnSocket, listenOnTcp, type RequestListener } from './listener.ts';
import { isInternal, problemOf, problemResponse } from './problems.ts';

export interface ApiServerOptions {
  /** Loopback addresses; port 0 takes a free one. */
  readonly listeners: readonly { readonly host: string; readonly port: number }[];
  /** Path of the Unix socket. */
  readonly controlSocket: string;
}

/** Serves the API on TCP, and with more rights on the control socket. */
export class ApiServer implements Stage {
  readonly #options: ApiServerOptions;
  readonly #views: GatewayViews;
  readonly #deps: ApiDeps;
  readonly #servers: Server[] = [];
  #controlSocketMade: boolean = false;

  constructor(options: ApiServerOptions, views: GatewayViews, deps: ApiDeps) {
    this.#options = options;
    this.#views = views;
    this.#deps = deps;
  }

  /** @throws SluiceError `port_in_use`, `port_not_allowed`, `address_not_available`, `control_socket_failed`, `listen_failed` */
  async start(): Promise<void> {
    const { logger } = this.#deps;
    const onError = (error: Error) => logger.warn({ reason: error.message }, 'a connection to the API failed');
    const listener = this.#listenerFor(createApi(this.#views, this.#deps), checkRequester);
    for (const { host, port } of this.#options.listeners) {
      const server = await listenOnTcp({ listener, onError }, host, port);
      this.#servers.push(server);
      logger.info({ host, port: addressOf(server)?.port }, 'API listening');
    }
    const controlListener = this.#listenerFor(createControlApi(this.#views, this.#deps), () => undefined);
    const controlServer = await listenOnSocket({ listener: controlListener, onError }, this.#options.controlSocket);
    this.#servers.push(controlServer);
    this.#controlSocketMade = true;
  }

  /** Within a second, whatever clients do. */
  async stop(): Promise<void> {
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

  #listenerFor(app: Api, check: (incoming: IncomingMessage) => void): RequestListener {
    const answer = (error: unknown): Response => {
      const problem = problemOf(error instanceof RequestError ? badRequest(error) : error);
      if (isInternal(problem)) this.#deps.logger.error({ error }, 'request failed');
      return problemResponse(problem);
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
