import { createRoute, z } from '@hono/zod-openapi';
import type { Api, ApiContext } from '../context.ts';

const metrics = createRoute({
  method: 'get',
  path: '/metrics',
  summary: 'Counts and gauges for Prometheus',
  responses: { 200: { description: 'Text exposition format.', content: { 'text/plain': { schema: z.string() } } } },
});

export function metricsRoutes(app: Api, { views, metrics: source, now }: ApiContext): void {
  app.openapi(metrics, async (c) => {
    const text = await source.render(views, now());
    return c.text(text, 200, { 'content-type': source.contentType });
  });
}
