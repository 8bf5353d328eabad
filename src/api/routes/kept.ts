import { createRoute, z } from '@hono/zod-openapi';
import type { KeptPage, KeptQuery, KeptRefused, KeptReject } from '../../core/browser.ts';
import { carries } from '../../core/carries.ts';
import { SluiceError } from '../../core/errors.ts';
import type { Api, ApiContext } from '../context.ts';
import { NextCursor, numberBehind, numberCursor, PageQuery } from '../page.ts';
import { problemResponses } from '../problems.ts';
import { printableBytes, RECORD_EXAMPLE, Record, recordJson } from '../record-json.ts';
import { toTime } from '../times.ts';
import { bufferFull } from '../waiting-room.ts';
import { jsonText } from './records.ts';

const Id = z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).openapi({ example: 7 }) });

const REFUSED_EXAMPLE = {
  id: 7,
  at: '2026-05-01T12:00:00.000Z',
  source: 'mqtt',
  reason: 'invalid_json',
  channel: 'devices/greenhouse-1/telemetry',
  size: 5,
  payload: '{"t":',
  encoding: 'utf8',
} as const;

const REJECT_EXAMPLE = {
  id: 7,
  uplink: 'plant',
  at: '2026-05-01T12:00:00.000Z',
  reason: 'message_too_large',
  detail: 'The broker takes 1 MiB.',
  seq: RECORD_EXAMPLE.seq,
  stream: RECORD_EXAMPLE.stream,
  record: RECORD_EXAMPLE,
} as const;

const Refused = z
  .object({
    id: z.int(),
    at: z.string().nullable(),
    source: z.enum(['mqtt', 'serial', 'http']),
    reason: z.string(),
    channel: z
      .string()
      .openapi({ description: 'MQTT topic, for HTTP the one of the same meaning; cut at 256 characters.' }),
    size: z.int().openapi({ description: 'Bytes of the payload; 4,096 of them are kept.' }),
    payload: z.string().openapi({ description: 'What is kept of it.' }),
    encoding: z.enum(['utf8', 'base64']).openapi({ description: 'How `payload` is to be read.' }),
  })
  .openapi('RefusedMessage', { example: REFUSED_EXAMPLE });

const RefusedPage = z.object({ refused: z.array(Refused), next_cursor: NextCursor }).openapi('RefusedPage', {
  example: { refused: [REFUSED_EXAMPLE], next_cursor: null },
});

const Reject = z
  .object({
    id: z.int(),
    uplink: z.string(),
    at: z.string().nullable(),
    reason: z.string(),
    detail: z.string().openapi({ description: 'What the upstream said.' }),
    seq: z.int(),
    stream: z.string(),
    record: Record.nullable().openapi({ description: 'null when it is damaged.' }),
  })
  .openapi('Reject', { example: REJECT_EXAMPLE });

const RejectPage = z.object({ rejects: z.array(Reject), next_cursor: NextCursor }).openapi('RejectPage', {
  example: { rejects: [REJECT_EXAMPLE], next_cursor: null },
});

const Retried = z
  .object({
    seq: z.int().openapi({ description: 'Of the new record.', example: 2_000_001 }),
    retry_of: z
      .object({ uplink: z.string(), seq: z.int() })
      .openapi({ description: 'The old one.', example: { uplink: 'plant', seq: 1_000_001 } }),
  })
  .openapi('Retried');

const LIST_PROBLEMS = problemResponses(['bad_request', 'bad_limit', 'bad_cursor', 'too_busy', 'read_timeout']);

const listRefused = createRoute({
  method: 'get',
  path: '/v1/refused',
  summary: 'Messages that cannot be what their topic says, newest first',
  request: { query: PageQuery },
  responses: {
    200: { description: 'A page of refused messages.', content: { 'application/json': { schema: RefusedPage } } },
    ...LIST_PROBLEMS,
  },
});

const listRejects = createRoute({
  method: 'get',
  path: '/v1/rejects',
  summary: 'Records that an upstream can never take, newest first',
  request: { query: PageQuery },
  responses: {
    200: { description: 'A page of rejects.', content: { 'application/json': { schema: RejectPage } } },
    ...LIST_PROBLEMS,
  },
});

const removeRefused = createRoute({
  method: 'delete',
  path: '/v1/refused/{id}',
  summary: 'Remove a refused message that was looked at',
  request: { params: Id },
  responses: {
    204: { description: 'It is gone.' },
    ...problemResponses(['bad_request', 'refused_not_found', 'too_busy', 'store_timeout']),
  },
});

const removeReject = createRoute({
  method: 'delete',
  path: '/v1/rejects/{id}',
  summary: 'Remove a reject; it stays counted as rejected',
  request: { params: Id },
  responses: {
    204: { description: 'It is gone.' },
    ...problemResponses(['bad_request', 'reject_not_found', 'too_busy', 'store_timeout']),
  },
});

const retryReject = createRoute({
  method: 'post',
  path: '/v1/rejects/{id}/retry',
  summary: 'Try a reject again, as a new record for the uplink that rejected it',
  description:
    'Upstream the new record has an id of its own and names the old one: in Kafka the header `ce_retryof`, in CloudEvents JSON the attribute `retryof`.',
  request: { params: Id },
  responses: {
    202: {
      description: 'The new record is on disk, and the reject is gone.',
      content: { 'application/json': { schema: Retried } },
    },
    ...problemResponses([
      'bad_request',
      'reject_not_found',
      'uplink_not_configured',
      'record_damaged',
      'buffer_full',
      'too_busy',
      'read_timeout',
      'store_timeout',
    ]),
  },
});

/** What is kept for people: refused messages and rejected records. */
export function keptRoutes(app: Api, context: ApiContext): void {
  const { browser, kept, room, views } = context;
  app.openapi(listRefused, async (c) => {
    const page = await browser.refused(queryOf('refused', c.req.valid('query')));
    return c.json({ refused: page.items.map(refusedJson), next_cursor: nextOf('refused', page) }, 200);
  });
  app.openapi(listRejects, async (c) => {
    const page = await browser.rejects(queryOf('rejects', c.req.valid('query')));
    const next = JSON.stringify(nextOf('rejects', page));
    return jsonText(`{"rejects":[${page.items.map(rejectJson).join(',')}],"next_cursor":${next}}`);
  });
  app.openapi(removeRefused, async (c) => {
    const { id } = c.req.valid('param');
    if (!(await room.wait(0, () => kept.removeRefused(id)))) throw notFound('refused message', 'refused');
    return c.body(null, 204);
  });
  app.openapi(retryReject, async (c) => {
    const { id } = c.req.valid('param');
    const { full } = views.stats();
    if (full !== null) throw bufferFull(full);
    const { uplink, seq: old } = await rejectToRetry(id, context);
    const seq = await room.wait(0, () => kept.retryReject(id));
    if (seq === undefined) throw notFound('reject', 'rejects');
    return c.json({ seq, retry_of: { uplink, seq: old } }, 202);
  });
  app.openapi(removeReject, async (c) => {
    const { id } = c.req.valid('param');
    if (!(await room.wait(0, () => kept.removeReject(id)))) throw notFound('reject', 'rejects');
    return c.body(null, 204);
  });
}

/** A record for an uplink that is not there, or does not carry its stream, would wait for ever. */
async function rejectToRetry(id: number, { browser, views }: ApiContext): Promise<KeptReject> {
  const [reject] = (await browser.rejects({ before: id + 1, limit: 1 })).items;
  if (reject?.id !== id) throw notFound('reject', 'rejects');
  const { uplink, stream } = reject;
  if (carries(views.uplinks.list(), { uplink, stream })) return reject;
  throw new SluiceError(`no uplink ${uplink} that carries ${stream} is configured`, {
    code: 'uplink_not_configured',
    hint: 'Only the uplink that rejected a record can try it again. Configure it with this stream among its streams.',
  });
}

type List = 'refused' | 'rejects';

function queryOf(list: List, { limit, cursor }: z.infer<typeof PageQuery>): KeptQuery {
  return { limit, before: numberBehind(list, cursor) ?? Number.MAX_SAFE_INTEGER };
}

function nextOf(list: List, { next }: KeptPage<unknown>): string | null {
  return next === null ? null : numberCursor(list, next);
}

function refusedJson({ id, at, source, reason, channel, size, payload }: KeptRefused): z.infer<typeof Refused> {
  const { text, base64 } = printableBytes(payload, { cut: payload.byteLength < size });
  const shown =
    base64 === undefined
      ? ({ payload: text, encoding: 'utf8' } as const)
      : { payload: base64, encoding: 'base64' as const };
  return { id, at: toTime(at), source, reason, channel, size, ...shown };
}

function rejectJson({ record, at, ...reject }: KeptReject): string {
  const about = JSON.stringify({ ...reject, at: toTime(at) });
  return `${about.slice(0, -1)},"record":${record === null ? 'null' : recordJson(record)}}`;
}

function notFound(what: string, list: List): SluiceError {
  return new SluiceError(`there is no such ${what}`, {
    code: list === 'refused' ? 'refused_not_found' : 'reject_not_found',
    hint: `It may have been removed before. GET /v1/${list} lists what there is.`,
  });
}
