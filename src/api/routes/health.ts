import { createRoute, z } from '@hono/zod-openapi';
import type { HealthPart } from '../../core/views.ts';
import type { Api, ApiContext } from '../context.ts';

const Live = z.object({ status: z.literal('live') }).openapi('Live', { example: { status: 'live' } });

const Readiness = z
  .object({
    status: z.enum(['ready', 'degraded', 'failed']),
    parts: z
      .array(
        z.object({ name: z.string(), status: z.enum(['ok', 'degraded', 'failed']), reason: z.string().nullable() }),
      )
      .openapi({ description: 'From the network, empty without a token that may read.' }),
  })
  .openapi('Readiness', {
    example: {
      status: 'degraded',
      parts: [
        { name: 'store', status: 'ok', reason: null },
        {
          name: 'uplink:plant',
          status: 'degraded',
          reason: 'no broker answers: kafka.example.net:9092 refused the connection',
        },
      ],
    },
  });

const live = createRoute({
  method: 'get',
  path: '/health/live',
  summary: 'Does the process run?',
  responses: { 200: { description: 'It does.', content: { 'application/json': { schema: Live } } } },
});

const ready = createRoute({
  method: 'get',
  path: '/health/ready',
  summary: 'Does the gateway accept records?',
  responses: {
    200: {
      description: 'It does; `degraded` when something else does not work, such as an upstream.',
      content: { 'application/json': { schema: Readiness } },
    },
    503: { description: 'It does not.', content: { 'application/json': { schema: Readiness } } },
  },
});

function overall(parts: readonly HealthPart[]): z.infer<typeof Readiness>['status'] {
  if (parts.some((part) => part.status === 'failed')) return 'failed';
  return parts.some((part) => part.status === 'degraded') ? 'degraded' : 'ready';
}

export function healthRoutes(app: Api, { views }: ApiContext): void {
  app.openapi(live, (c) => c.json({ status: 'live' as const }, 200));
  app.openapi(ready, (c) => {
    const parts = views.health().map(({ name, status, reason }) => ({ name, status, reason }));
    const status = overall(parts);
    const mayRead = c.get('scopes')?.has('read') ?? true;
    return c.json({ status, parts: mayRead ? parts : [] }, status === 'failed' ? 503 : 200);
  });
}
