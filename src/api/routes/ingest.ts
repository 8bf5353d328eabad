import { createRoute, z } from '@hono/zod-openapi';
import type { HonoRequest } from 'hono';
import { SluiceError } from '../../core/errors.ts';
import type { Acceptance, Message } from '../../core/ports.ts';
import type { ContentType } from '../../core/record.ts';
import type { Api, ApiContext } from '../context.ts';
import { checkDeviceId, checkEventType, declaredType, idempotencyKey, keyedRequest } from '../ingest-request.ts';
import { problemResponses } from '../problems.ts';
import { bufferFull, overRate, overShare } from '../waiting-room.ts';

const Accepted = z
  .object({
    device: z.string().openapi({ example: 'greenhouse-1' }),
    first_seq: z.int().openapi({ example: 1_000_001, description: 'Seq of the first record.' }),
    last_seq: z.int().openapi({ example: 1_000_001, description: 'Seq of the last one; they have no holes.' }),
    count: z.int().openapi({ example: 1, description: 'Records stored: one, or one for each object of a batch.' }),
  })
  .openapi('Accepted');

const IdempotencyHeader = z.object({
  'idempotency-key': z
    .string()
    .optional()
    .openapi({
      description:
        'A string of your own, such as a UUID, in quotation marks or without. Within `http.idempotencyWindow` a request ' +
        'with the same device, key and body is stored once, however often it is sent; its answer is the same.',
      example: '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
    }),
});

const ACCEPTED = {
  202: {
    description: 'On disk. `Idempotent-Replayed: true` when it already was.',
    headers: z.object({ 'Idempotent-Replayed': z.literal('true').optional() }),
    content: { 'application/json': { schema: Accepted } },
  },
  ...problemResponses([
    'bad_idempotency_key',
    'body_too_large',
    'unsupported_media_type',
    'bad_device_id',
    'bad_event_type',
    'payload_refused',
    'idempotency_key_reused',
    'over_share',
    'over_rate',
    'buffer_full',
    'too_busy',
    'store_timeout',
  ]),
} as const;

// Described, not parsed: the bytes are stored as they came, and the intake judges them.
const METRICS = { type: 'object' as const, additionalProperties: true, example: { temperature: 21.5, ok: true } };
const TELEMETRY = { oneOf: [METRICS, { type: 'array' as const, items: METRICS, minItems: 1, maxItems: 10_000 }] };

const postTelemetry = createRoute({
  method: 'post',
  path: '/v1/devices/{id}/telemetry',
  summary: 'Store telemetry of a device: an object of metrics, or an array of such objects',
  request: {
    params: z.object({ id: z.string().openapi({ example: 'greenhouse-1' }) }),
    headers: IdempotencyHeader,
    body: { required: true, content: { 'application/json': { schema: TELEMETRY } } },
  },
  responses: ACCEPTED,
});

const postEvent = createRoute({
  method: 'post',
  path: '/v1/devices/{id}/events/{type}',
  summary: 'Store an event of a device: any JSON, or text',
  request: {
    params: z.object({
      id: z.string().openapi({ example: 'greenhouse-1' }),
      type: z.string().openapi({ example: 'door' }),
    }),
    headers: IdempotencyHeader,
    body: {
      required: true,
      content: {
        'application/json': { schema: { example: { open: true } } },
        'text/plain': { schema: { type: 'string' as const, example: 'opened' } },
      },
    },
  },
  responses: ACCEPTED,
});

export function ingestRoutes(app: Api, context: ApiContext): void {
  const { views, intake, room } = context;
  const store = async (request: HonoRequest, channel: string, allowed: readonly ContentType[]): Promise<Stored> => {
    const message = await messageOf(request, channel, allowed);
    const { full } = views.stats();
    if (full !== null) throw bufferFull(full);
    return storedOf(await room.wait(message.payload.byteLength, () => intake.accept(message)));
  };
  app.openapi(postTelemetry, async (c) => {
    const id = checkDeviceId(c.req.valid('param').id);
    const { body, headers } = await store(c.req, `devices/${id}/telemetry`, ['application/json']);
    return c.json(body, 202, headers);
  });
  app.openapi(postEvent, async (c) => {
    const { id, type } = c.req.valid('param');
    const channel = `devices/${checkDeviceId(id)}/events/${checkEventType(type)}`;
    const { body, headers } = await store(c.req, channel, ['application/json', 'text/plain']);
    return c.json(body, 202, headers);
  });
}

interface Stored {
  readonly body: z.infer<typeof Accepted>;
  readonly headers: Record<string, string>;
}

async function messageOf(request: HonoRequest, channel: string, allowed: readonly ContentType[]): Promise<Message> {
  const declared = declaredType(request, allowed);
  const key = idempotencyKey(request.header('idempotency-key'));
  const payload = new Uint8Array(await request.arrayBuffer());
  const idempotency = key === undefined ? undefined : keyedRequest(key, { channel, declared, payload });
  return { source: 'http', channel, payload, handshake: null, idempotency, declared };
}

/** @throws SluiceError `payload_refused`, `idempotency_key_reused`, `over_share`, `over_rate` */
function storedOf(acceptance: Acceptance): Stored {
  switch (acceptance.kind) {
    case 'accepted':
    case 'repeated': {
      const { kind, device, firstSeq, count } = acceptance;
      const body = { device, first_seq: firstSeq, last_seq: firstSeq + count - 1, count };
      return { body, headers: kind === 'repeated' ? { 'idempotent-replayed': 'true' } : {} };
    }
    case 'refused':
      throw new SluiceError(`the payload was refused: ${acceptance.reason}`, {
        code: 'payload_refused',
        hint: 'Sending the same again cannot help. It is kept aside: GET /v1/refused shows it.',
      });
    case 'key_reused':
      throw new SluiceError('this idempotency key came with another request before', {
        code: 'idempotency_key_reused',
        hint: 'Nothing is stored. Use a new key for each new request.',
      });
    case 'postponed':
      throw acceptance.reason === 'share' ? overShare(acceptance.waitMs) : overRate(acceptance.waitMs);
    case 'duplicate':
    case 'local':
      throw new Error(`HTTP ingest: ${acceptance.kind} is for MQTT only`);
  }
}
