import type { Api, ApiMetrics } from './context.ts';
import { patternOf, routeAt } from './routing.ts';

const NO_ROUTE = 'none';

/** By path of a route: labels are few, whatever paths are asked for. */
const LABELS = new Map<string, string>();

/**
 * Takes the time of every request. Around the app and not as a middleware: a handler that stands alone is called in the
 * turn in which the request came and with half the work, and a middleware for all of them would take that away.
 */
export function measure(app: Api, metrics: ApiMetrics): void {
  const { fetch } = app;
  app.fetch = (request, ...rest) => {
    const startedAt = performance.now();
    const { method } = request;
    const route = labelOf(routeAt(app, method, app.getPath(request)));
    const observe = (answer: Response): Response => {
      const labels = { route, method, status: answer.status };
      metrics.observeHttpRequest(labels, (performance.now() - startedAt) / 1000);
      return answer;
    };
    const answer = fetch(request, ...rest);
    return answer instanceof Promise ? answer.then(observe) : observe(answer);
  };
}

/** Counts a request that was refused before the app saw it, which takes no time worth telling. */
export function measureRefusal(metrics: ApiMetrics, method: string, answer: Response): Response {
  metrics.observeHttpRequest({ route: NO_ROUTE, method, status: answer.status }, 0);
  return answer;
}

function labelOf(route: string | undefined): string {
  if (route === undefined) return NO_ROUTE;
  const known = LABELS.get(route);
  if (known !== undefined) return known;
  const label = patternOf(route);
  LABELS.set(route, label);
  return label;
}
