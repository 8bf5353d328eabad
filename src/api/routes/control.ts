import { createRoute, z } from '@hono/zod-openapi';
import type { DeviceView } from '../../core/views.ts';
import type { Api, ApiContext } from '../context.ts';
import { PROBLEM_RESPONSE } from '../problems.ts';
import { toTime } from '../times.ts';
import { deviceNotFound } from './devices.ts';

const ControlDevice = z.object({
  id: z.string(),
  provisioned: z.boolean(),
  online: z.boolean(),
  last_seen_at: z.string().nullable(),
});

const NewDevice = z.object({ id: z.string(), secret: z.string().optional() });
const NewHash = z.object({ id: z.string(), secret_hash: z.string() });
const DeviceSecret = z.object({ id: z.string(), secret: z.string() });

const listDevices = createRoute({
  method: 'get',
  path: '/control/devices',
  hide: true,
  responses: {
    200: {
      description: 'All devices.',
      content: { 'application/json': { schema: z.object({ devices: z.array(ControlDevice) }) } },
    },
  },
});

const addDevice = createRoute({
  method: 'post',
  path: '/control/devices',
  hide: true,
  request: { body: { required: true, content: { 'application/json': { schema: NewDevice } } } },
  responses: {
    201: {
      description: 'Its secret, for this once.',
      content: { 'application/json': { schema: DeviceSecret } },
    },
    ...PROBLEM_RESPONSE,
  },
});

const addHash = createRoute({
  method: 'post',
  path: '/control/hashes',
  hide: true,
  request: { body: { required: true, content: { 'application/json': { schema: NewHash } } } },
  responses: { 204: { description: 'The device can log in.' }, ...PROBLEM_RESPONSE },
});

const removeDevice = createRoute({
  method: 'delete',
  path: '/control/devices/{id}',
  hide: true,
  request: { params: z.object({ id: z.string() }) },
  responses: { 204: { description: 'It is gone.' }, ...PROBLEM_RESPONSE },
});

/** For whoever may open the control socket: the owner of the data directory. Never on TCP. */
export function controlRoutes(app: Api, { views }: ApiContext): void {
  app.openapi(listDevices, (c) => {
    const devices = views.devices.list('', views.devices.count());
    return c.json({ devices: devices.map(controlJson) }, 200);
  });
  app.openapi(addDevice, async (c) => {
    const { id, secret } = c.req.valid('json');
    return c.json({ id, secret: await views.registry.add(id, secret) }, 201);
  });
  app.openapi(addHash, async (c) => {
    const { id, secret_hash: secretHash } = c.req.valid('json');
    await views.registry.adopt(id, secretHash);
    return c.body(null, 204);
  });
  app.openapi(removeDevice, async (c) => {
    if (!(await views.registry.remove(c.req.valid('param').id))) throw deviceNotFound();
    return c.body(null, 204);
  });
}

function controlJson({ id, provisioned, online, lastSeenAt }: DeviceView): z.infer<typeof ControlDevice> {
  return { id, provisioned, online, last_seen_at: toTime(lastSeenAt) };
}
