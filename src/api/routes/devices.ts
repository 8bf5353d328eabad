import { createRoute, z } from '@hono/zod-openapi';
import { SluiceError } from '../../core/errors.ts';
import type { DeviceView, LatestMetric } from '../../core/views.ts';
import type { Api, ApiContext } from '../context.ts';
import { cursorOf, idBehind, NextCursor, PageQuery } from '../page.ts';
import { problemResponses } from '../problems.ts';
import { ageSeconds, toTime } from '../times.ts';

const DEVICE_EXAMPLE = {
  id: 'greenhouse-1',
  online: true,
  provisioned: true,
  first_seen_at: '2026-04-24T08:12:31.004Z',
  last_seen_at: '2026-05-01T12:00:00.000Z',
  age_seconds: 0.4,
  stale: false,
  metrics: 2,
};

const Device = z
  .object({
    id: z.string(),
    online: z.boolean().openapi({ description: 'A session that speaks for it is connected.' }),
    provisioned: z.boolean().openapi({ description: 'It has a secret to log in with.' }),
    first_seen_at: z.string().nullable(),
    last_seen_at: z.string().nullable(),
    age_seconds: z.number().nullable().openapi({ description: 'Since it was last seen.' }),
    stale: z.boolean(),
    metrics: z.int().openapi({ description: 'How many metrics have a latest value.' }),
  })
  .openapi('Device', { example: DEVICE_EXAMPLE });

const DevicePage = z.object({ devices: z.array(Device), next_cursor: NextCursor }).openapi('DevicePage', {
  example: { devices: [DEVICE_EXAMPLE], next_cursor: null },
});

const LatestTelemetry = z
  .object({
    device: z.string(),
    metrics: z.record(
      z.string(),
      z.object({
        value: z.union([z.number(), z.string(), z.boolean()]).nullable(),
        time: z.string().nullable().openapi({ description: 'When it was observed, else when it arrived.' }),
        age_seconds: z.number(),
        stale: z.boolean(),
        observed_at: z.string().nullable(),
        received_at: z.string().nullable(),
        seq: z.int(),
        unit: z.string().optional().openapi({ description: 'When a route or the message says one.' }),
      }),
    ),
  })
  .openapi('LatestTelemetry', {
    example: {
      device: 'greenhouse-1',
      metrics: {
        temperature: {
          value: 21.5,
          time: '2026-05-01T11:59:59.600Z',
          age_seconds: 0.4,
          stale: false,
          observed_at: null,
          received_at: '2026-05-01T11:59:59.600Z',
          seq: 1_402_113,
        },
      },
    },
  });

const DeviceId = z.object({ id: z.string().openapi({ example: 'greenhouse-1' }) });

const listDevices = createRoute({
  method: 'get',
  path: '/v1/devices',
  summary: 'Devices, by id',
  request: { query: PageQuery },
  responses: {
    200: { description: 'A page of devices.', content: { 'application/json': { schema: DevicePage } } },
    ...problemResponses(['bad_limit', 'bad_cursor']),
  },
});

const getDevice = createRoute({
  method: 'get',
  path: '/v1/devices/{id}',
  summary: 'One device',
  request: { params: DeviceId },
  responses: {
    200: { description: 'The device.', content: { 'application/json': { schema: Device } } },
    ...problemResponses(['device_not_found']),
  },
});

const getLatest = createRoute({
  method: 'get',
  path: '/v1/devices/{id}/telemetry/latest',
  summary: 'The newest value of each metric of a device',
  request: { params: DeviceId },
  responses: {
    200: { description: 'Values by metric.', content: { 'application/json': { schema: LatestTelemetry } } },
    ...problemResponses(['device_not_found']),
  },
});

export function deviceRoutes(app: Api, context: ApiContext): void {
  const { devices } = context.views;
  app.openapi(listDevices, (c) => {
    const { limit, cursor } = c.req.valid('query');
    const found = devices.list(idBehind(cursor), limit + 1);
    const page = found.slice(0, limit);
    const last = page.at(-1);
    const next = found.length > limit && last !== undefined ? cursorOf(last.id) : null;
    return c.json({ devices: page.map((view) => deviceJson(view, context)), next_cursor: next }, 200);
  });
  app.openapi(getDevice, (c) => {
    const view = devices.get(c.req.valid('param').id);
    if (view === undefined) throw deviceNotFound();
    return c.json(deviceJson(view, context), 200);
  });
  // Asked for most, and its one parameter needs no check: described as the others are, without their validation.
  app.openAPIRegistry.registerPath(getLatest);
  app.get(getLatest.getRoutingPath(), (c) => {
    const id = c.req.param('id') ?? '';
    const latest = devices.latest(id);
    if (latest === undefined) throw deviceNotFound();
    const metrics = latest.map((metric) => [metric.metric, latestJson(metric, context)] as const);
    return c.json({ device: id, metrics: Object.fromEntries(metrics) } satisfies z.infer<typeof LatestTelemetry>);
  });
}

export function deviceNotFound(): SluiceError {
  return new SluiceError('there is no such device', {
    code: 'device_not_found',
    hint: 'GET /v1/devices lists those that have sent something or have a secret.',
  });
}

function deviceJson(view: DeviceView, { now, staleAfterMs }: ApiContext): z.infer<typeof Device> {
  const age = ageSeconds(view.lastSeenAt, now());
  return {
    id: view.id,
    online: view.online,
    provisioned: view.provisioned,
    first_seen_at: toTime(view.firstSeenAt),
    last_seen_at: toTime(view.lastSeenAt),
    age_seconds: age,
    stale: isStale(age, staleAfterMs),
    metrics: view.metricCount,
  };
}

/** Nothing is observed after it has arrived: a device's clock that runs ahead must not make old values look fresh. */
function latestJson({ value, observedAt, receivedAt, seq, unit }: LatestMetric, { now, staleAfterMs }: ApiContext) {
  const at = Math.min(observedAt ?? receivedAt, receivedAt);
  const age = ageSeconds(at, now());
  return {
    value,
    time: toTime(at),
    age_seconds: age ?? 0,
    stale: isStale(age, staleAfterMs),
    observed_at: toTime(observedAt),
    received_at: toTime(receivedAt),
    seq,
    unit,
  };
}

function isStale(age: number | null, staleAfterMs: number): boolean {
  return age === null || age * 1000 > staleAfterMs;
}
