import { METHODS } from 'node:http';
import { OpenAPIHono } from '@hono/zod-openapi';
import { bodyLimit } from 'hono/body-limit';
import { HTTPException } from 'hono/http-exception';
import { routePath } from 'hono/route';
import { SluiceError } from '../core/errors.ts';
import type { GatewayViews } from '../core/views.ts';
import { allowOrigins, askForTokens, checkScopes } from './access/middleware.ts';
import type { TokenGate } from './access/token-gate.ts';
import type { Api, ApiContext, ApiDeps, ApiEnv } from './context.ts';
import { measure } from './measure.ts';
import { describeApi } from './openapi.ts';
import { isInternal, problemResponse } from './problems.ts';
import { refuseRequest } from './refuse-request.ts';
import { bufferRoutes } from './routes/buffer.ts';
import { commandRoutes } from './routes/commands.ts';
import { controlRoutes } from './routes/control.ts';
import { deviceRoutes } from './routes/devices.ts';
import { docsRoutes } from './routes/docs.ts';
import { gatewayRoutes } from './routes/gateway.ts';
import { healthRoutes } from './routes/health.ts';
import { ingestRoutes } from './routes/ingest.ts';
import { keptRoutes } from './routes/kept.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { problemRoutes } from './routes/problems.ts';
import { recordRoutes } from './routes/records.ts';
import { replayRoutes } from './routes/replays.ts';
import { serialRoutes } from './routes/serial.ts';
import { uplinkRoutes } from './routes/uplinks.ts';
import { methodsAt } from './routing.ts';

const BODILESS_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
/** Those too that no route answers to: their bodies are read all the same. */
const METHODS_WITH_BODY = METHODS.filter((method) => !BODILESS_METHODS.has(method));

export interface ApiAccess {
  /** Asks for tokens. Without it whoever can connect may do everything. */
  readonly gate?: TokenGate;
  /** Origins whose pages may read answers. */
  readonly corsOrigins?: readonly string[];
}

/** What is served on TCP. */
export function createApi(views: GatewayViews, deps: ApiDeps, access: ApiAccess = {}): Api {
  const context = { ...deps, views };
  const app = newApp(context);
  allowOrigins(app, access.corsOrigins ?? []);
  if (access.gate !== undefined) askForTokens(app, access.gate);
  limitBodies(app, context);
  publicRoutes(app, context);
  checkScopes(app);
  return app;
}

/** What is served on the control socket: the same, and what only the owner of the machine may do. */
export function createControlApi(views: GatewayViews, deps: ApiDeps): Api {
  const context = { ...deps, views };
  const app = newApp(context);
  limitBodies(app, context);
  publicRoutes(app, context);
  controlRoutes(app, context);
  return app;
}

function publicRoutes(app: Api, context: ApiContext): void {
  healthRoutes(app, context);
  metricsRoutes(app, context);
  gatewayRoutes(app, context);
  deviceRoutes(app, context);
  ingestRoutes(app, context);
  commandRoutes(app, context);
  bufferRoutes(app, context);
  recordRoutes(app, context);
  keptRoutes(app, context);
  serialRoutes(app, context);
  uplinkRoutes(app, context);
  replayRoutes(app, context);
  docsRoutes(app, context);
  problemRoutes(app);
  let document: string | undefined;
  app.get('/openapi.json', (c) => {
    document ??= JSON.stringify(describeApi(app));
    return c.body(document, 200, { 'content-type': 'application/json' });
  });
}

function newApp({ metrics, logger }: ApiContext): Api {
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) refuseRequest(result.error);
    },
  });
  app.notFound((c) => refuse(methodsAt(app, c.req.path)));
  app.onError((error, c) => {
    const known = error instanceof HTTPException ? badRequest(error) : error;
    if (isInternal(known)) logger.error({ error, method: c.req.method, route: routePath(c, -1) }, 'request failed');
    return problemResponse(known);
  });
  measure(app, metrics);
  return app;
}

function limitBodies(app: Api, { maxBodyBytes }: ApiContext): void {
  const limit = bodyLimit({ maxSize: maxBodyBytes, onError: () => problemResponse(tooLarge(maxBodyBytes)) });
  app.on(METHODS_WITH_BODY, '*', limit);
}

/** RFC 9110, 15.5.6: a path that exists answers to other methods with 405 and `Allow`. */
function refuse(methods: readonly string[]): Response {
  if (methods.length === 0) return problemResponse(notFound());
  const allow = methods.join(', ');
  return problemResponse(methodNotAllowed(allow), { allow });
}

function notFound(): SluiceError {
  return new SluiceError('there is nothing at this path', {
    code: 'not_found',
    hint: 'GET /openapi.json lists what there is.',
  });
}

function methodNotAllowed(allow: string): SluiceError {
  return new SluiceError('this path does not answer to this method', {
    code: 'method_not_allowed',
    hint: `Use one of ${allow}.`,
  });
}

function tooLarge(maxBodyBytes: number): SluiceError {
  return new SluiceError(`the body is larger than ${maxBodyBytes} bytes`, {
    code: 'body_too_large',
    hint: 'Send less at once, or raise api.maxBodySize.',
  });
}

function badRequest(error: HTTPException): SluiceError {
  return new SluiceError('the request cannot be read', { code: 'bad_request', hint: error.message });
}
