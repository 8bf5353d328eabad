import { cors } from 'hono/cors';
import type { Scope } from '../../core/api-tokens.ts';
import type { Api } from '../context.ts';
import { patternOf } from '../routing.ts';
import { ROUTE_SCOPES } from './scopes.ts';
import { requireScope, type TokenGate } from './token-gate.ts';

const PREFLIGHT_MAX_AGE_S = 600;
const EXPOSED_HEADERS = ['ETag', 'Idempotent-Replayed', 'Location', 'Retry-After', 'WWW-Authenticate'];
const NO_SCOPES: ReadonlySet<Scope> = new Set();

/** Lets pages of these origins read answers. Tokens go in a header field, so cookies are never allowed. */
export function allowOrigins(app: Api, origins: readonly string[]): void {
  if (origins.length === 0) return;
  app.use(cors({ origin: [...origins], exposeHeaders: EXPOSED_HEADERS, maxAge: PREFLIGHT_MAX_AGE_S }));
}

/** To be called before the routes are added: of every pattern that fits a request, the scope is asked for. */
export function askForTokens(app: Api, gate: TokenGate): void {
  app.use((c, next) => {
    c.set('scopes', gate.scopesOf(c.env.incoming));
    return next();
  });
  for (const [route, scope] of Object.entries(ROUTE_SCOPES)) {
    if (scope === 'open') continue;
    const [method = '', pattern = ''] = route.split(' ');
    app.on(method, pattern.replace(/\{(\w+)\}/g, ':$1'), (c, next) => {
      requireScope(c.get('scopes') ?? NO_SCOPES, scope);
      return next();
    });
  }
}

/** Routes without a scope would be open to the network. @throws Error when there is one: the program is wrong */
export function checkScopes(app: Api): void {
  const missing = routesOf(app).filter((route) => ROUTE_SCOPES[route] === undefined);
  if (missing.length > 0) throw new Error(`no scope in src/api/access/scopes.ts for ${missing.join(', ')}`);
}

/** `GET /v1/devices/{id}`, each once. */
export function routesOf(app: Api): readonly string[] {
  const routes = app.routes.filter(({ method, path }) => method !== 'ALL' && !path.includes('*'));
  return [...new Set(routes.map(({ method, path }) => `${method} ${patternOf(path)}`))];
}
