import type { Api } from './context.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** The path of the route that is meant, `/v1/devices/:id`, though it may answer to other methods; undefined when there is none. */
export function routeAt(app: Api, method: string, path: string): string | undefined {
  return answeringAt(app, method, path) ?? METHODS.map((other) => answeringAt(app, other, path)).find(Boolean);
}

/** What a path answers to, as `Allow` says it (RFC 9110, 10.2.1); empty when there is no route. */
export function methodsAt(app: Api, path: string): readonly string[] {
  const methods = METHODS.filter((method) => answeringAt(app, method, path) !== undefined);
  return methods[0] === 'GET' ? ['GET', 'HEAD', ...methods.slice(1)] : methods;
}

function answeringAt(app: Api, method: string, path: string): string | undefined {
  const [handlers] = app.router.match(method === 'HEAD' ? 'GET' : method, path);
  const found = handlers.at(-1)?.[0][1].path;
  // What is there for all paths is no route: it lets the request pass on to one.
  return found?.includes('*') ? undefined : found;
}

/** `/v1/devices/:id` becomes `/v1/devices/{id}`. */
export function patternOf(path: string): string {
  return path.replace(/:(\w+)/g, '{$1}');
}
