import { createRoute, z } from '@hono/zod-openapi';
import type { Api, ApiContext } from '../context.ts';
import { ageSeconds, toTime } from '../times.ts';

const Gateway = z
  .object({
    id: z.string(),
    epoch: z.string().openapi({ description: 'Changes when the log is made anew.' }),
    version: z.string(),
    started_at: z.string().nullable(),
    uptime_seconds: z.number(),
    time: z.string().nullable(),
    clock: z.enum(['synced', 'unsynced', 'unknown']),
    platform: z.object({ node: z.string(), arch: z.string(), kernel: z.string() }),
    data_dir: z.string(),
    disk: z.object({ free_bytes: z.int(), keep_free_bytes: z.int() }),
    devices: z.int(),
    mqtt: z.object({ clients: z.int() }),
    messages: z
      .object({
        refused: z.array(z.object({ source: z.string(), reason: z.string(), count: z.int() })),
        denied: z.int(),
        local: z.int(),
      })
      .openapi({ description: 'Since the process started: what never became a record.' }),
  })
  .openapi('Gateway', {
    example: {
      id: 'greenhouse-pi',
      epoch: 'c2a1f0d94b7e',
      version: '0.1.0',
      started_at: '2026-05-01T11:59:00.000Z',
      uptime_seconds: 60,
      time: '2026-05-01T12:00:00.000Z',
      clock: 'synced',
      platform: { node: 'v24.21.0', arch: 'arm64', kernel: '6.12.47' },
      data_dir: '/var/lib/sluice',
      disk: { free_bytes: 12_884_901_888, keep_free_bytes: 536_870_912 },
      devices: 12,
      mqtt: { clients: 9 },
      messages: { refused: [{ source: 'mqtt', reason: 'invalid_json', count: 3 }], denied: 0, local: 41 },
    },
  });

const gateway = createRoute({
  method: 'get',
  path: '/v1/gateway',
  summary: 'Who and how this gateway is',
  responses: { 200: { description: 'The gateway.', content: { 'application/json': { schema: Gateway } } } },
});

export function gatewayRoutes(app: Api, context: ApiContext): void {
  app.openapi(gateway, (c) => c.json(gatewayJson(context), 200));
}

function gatewayJson({ views, now }: ApiContext): z.infer<typeof Gateway> {
  const info = views.info();
  const stats = views.stats();
  const { refused, denied, local } = views.messages();
  return {
    id: info.id,
    epoch: info.epoch,
    version: info.version,
    started_at: toTime(info.startedAt),
    uptime_seconds: ageSeconds(info.startedAt, now()) ?? 0,
    time: toTime(now()),
    clock: info.clock,
    platform: { ...info.platform },
    data_dir: info.dataDir,
    disk: { free_bytes: stats.freeBytes, keep_free_bytes: stats.keepFreeBytes },
    devices: views.devices.count(),
    mqtt: { clients: views.mqttClientCount() },
    messages: { refused: refused.map(({ source, reason, count }) => ({ source, reason, count })), denied, local },
  };
}
