import { createRoute, z } from '@hono/zod-openapi';
import type { RecordPage, RecordQuery } from '../../core/browser.ts';
import { DEVICE_ID } from '../../core/device-id.ts';
import { SluiceError } from '../../core/errors.ts';
import { STREAMS } from '../../core/stream.ts';
import type { Api, ApiContext } from '../context.ts';
import { NextCursor, numberBehind, numberCursor, PageQuery } from '../page.ts';
import { problemResponses } from '../problems.ts';
import { RECORD_EXAMPLE, Record, recordJson } from '../record-json.ts';

const Seq = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const Query = PageQuery.extend({
  stream: z.enum(STREAMS).optional().openapi({ description: 'Only this one.', example: 'telemetry' }),
  device: z
    .string()
    .regex(DEVICE_ID, 'Use 1 to 128 characters of A-Z a-z 0-9 . _ -')
    .optional()
    .openapi({ description: 'Only of this one.', example: 'greenhouse-1' }),
  after: Seq.optional().openapi({ description: 'Only seqs above.' }),
  before: Seq.optional().openapi({ description: 'Only seqs below.' }),
  order: z.enum(['newest', 'oldest']).default('newest').openapi({ description: 'What comes first.' }),
});

const Page = z
  .object({
    records: z.array(Record),
    damaged: z.array(z.int()).openapi({ description: 'Seqs that could not be read, because the disk is damaged.' }),
    next_cursor: NextCursor,
  })
  .openapi('RecordPage', { example: { records: [RECORD_EXAMPLE], damaged: [], next_cursor: null } });

const listRecords = createRoute({
  method: 'get',
  path: '/v1/records',
  summary: 'Records in the buffer, newest first unless asked otherwise',
  description:
    'One request looks at a bounded number of records. With a filter a page may therefore be short or empty although ' +
    'there is more: go on while `next_cursor` is not null, with the same filters.',
  request: { query: Query },
  responses: {
    200: { description: 'A page of records.', content: { 'application/json': { schema: Page } } },
    ...problemResponses(['bad_request', 'bad_limit', 'bad_cursor', 'too_busy', 'read_timeout']),
  },
});

const getRecord = createRoute({
  method: 'get',
  path: '/v1/records/{seq}',
  summary: 'One record in the buffer',
  request: { params: z.object({ seq: Seq.openapi({ example: 1_000_001 }) }) },
  responses: {
    200: { description: 'The record.', content: { 'application/json': { schema: Record } } },
    ...problemResponses(['bad_request', 'record_not_found', 'record_damaged', 'too_busy', 'read_timeout']),
  },
});

export function recordRoutes(app: Api, { browser }: ApiContext): void {
  app.openapi(listRecords, async (c) => {
    const query = queryOf(c.req.valid('query'));
    return jsonText(pageJson(query.order, await browser.records(query)));
  });
  app.openapi(getRecord, async (c) => {
    const record = await browser.record(c.req.valid('param').seq);
    if (record === undefined) throw recordNotFound();
    return jsonText(recordJson(record));
  });
}

/** JSON text of what the route's schema says; the types know only objects. */
export function jsonText(text: string): never {
  return new Response(text, { headers: { 'content-type': 'application/json' } }) as never;
}

function queryOf({ stream, device, after = 0, before, order, limit, cursor }: z.infer<typeof Query>): RecordQuery {
  const common = { stream: stream ?? null, device: device ?? null, order, limit };
  const end = before ?? Number.MAX_SAFE_INTEGER;
  const reached = numberBehind(order, cursor);
  if (reached === undefined) return { ...common, after, before: end };
  if (order === 'newest') return { ...common, after, before: Math.min(end, reached) };
  return { ...common, after: Math.max(after, reached), before: end };
}

function pageJson(order: RecordQuery['order'], { records, damaged, next }: RecordPage): string {
  const rest = JSON.stringify({ damaged, next_cursor: next === null ? null : numberCursor(order, next) });
  return `{"records":[${records.map(recordJson).join(',')}],${rest.slice(1)}`;
}

function recordNotFound(): SluiceError {
  return new SluiceError('the buffer holds no such record', {
    code: 'record_not_found',
    hint: 'It may have been removed by a limit. GET /v1/records lists what there is.',
  });
}
