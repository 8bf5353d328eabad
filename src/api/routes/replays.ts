import { createRoute, z } from '@hono/zod-openapi';
import { carries } from '../../core/carries.ts';
import { DEVICE_ID } from '../../core/device-id.ts';
import { SluiceError } from '../../core/errors.ts';
import type { NewReplay, ReplayStats } from '../../core/log-stats.ts';
import { STREAMS } from '../../core/stream.ts';
import type { Api, ApiContext } from '../context.ts';
import { problemResponses } from '../problems.ts';
import { toTime } from '../times.ts';
import { bufferFull } from '../waiting-room.ts';

const Id = z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER).openapi({ example: 3 }) });

const ASKED_EXAMPLE = {
  uplink: 'plant',
  stream: 'telemetry' as const,
  device: 'greenhouse-1',
  from: '2026-05-01T10:00:00.000Z',
  to: '2026-05-01T11:00:00.000Z',
};

const REPLAY_EXAMPLE = {
  id: 3,
  ...ASKED_EXAMPLE,
  first_seq: 1,
  last_seq: 1_402_100,
  state: 'active' as const,
  created_at: '2026-05-01T12:00:00.000Z',
  cursor: 1_023_000,
  delivered: 812,
  rejected: 0,
  removed: 0,
};

const Seq = z.int().min(1).max(Number.MAX_SAFE_INTEGER);
const Time = z.iso.datetime({ offset: true, error: 'Use RFC 3339, such as 2026-05-01T10:00:00Z.' });

const Asked = z
  .object({
    uplink: z.string().openapi({ description: 'Name of the uplink that sends it.' }),
    stream: z.enum(STREAMS).openapi({ description: 'One stream; start another replay for another one.' }),
    device: z
      .string()
      .regex(DEVICE_ID, 'Use 1 to 128 characters of A-Z a-z 0-9 . _ -')
      .optional()
      .openapi({ description: 'Only its records. When left out: those of all devices.' }),
    first_seq: Seq.optional().openapi({ description: 'When left out: from the oldest record in the buffer on.' }),
    last_seq: Seq.optional().openapi({ description: 'When left out: all that was sent before.' }),
    from: Time.optional().openapi({ description: 'Only records accepted at this time or later.' }),
    to: Time.optional().openapi({ description: 'Only records accepted before this time.' }),
  })
  .openapi('NewReplay', { example: ASKED_EXAMPLE });

const Replay = z
  .object({
    id: z.int(),
    uplink: z.string(),
    stream: z.string(),
    device: z.string().nullable(),
    from: z.string().nullable(),
    to: z.string().nullable(),
    first_seq: z.int(),
    last_seq: z.int().openapi({
      description: 'At most what the uplink had got to when the replay began: what is behind it is still to come.',
    }),
    state: z
      .enum(['active', 'done'])
      .openapi({ description: 'Active ones of one stream are sent one after the other.' }),
    created_at: z.string().nullable(),
    cursor: z.int().openapi({ description: 'Everything up to this seq was sent, does not fit, or was removed.' }),
    delivered: z.int(),
    rejected: z.int().openapi({ description: 'The upstream did not take them; they are not among the rejects.' }),
    removed: z.int().openapi({ description: 'A limit of the buffer took them before they were sent again.' }),
  })
  .openapi('Replay', { example: REPLAY_EXAMPLE });

const ReplayList = z.object({ replays: z.array(Replay) }).openapi('ReplayList', {
  example: { replays: [REPLAY_EXAMPLE] },
});

const ONE_REPLAY = { description: 'The replay.', content: { 'application/json': { schema: Replay } } } as const;

const startReplay = createRoute({
  method: 'post',
  path: '/v1/replays',
  summary: 'Send records again that are still in the buffer',
  description:
    'They are sent beside fresh records, at the share of the link that `backlogShare` of the uplink says, and marked: in Kafka by ' +
    'the header `ce_lane: replay`, in CloudEvents JSON by the attribute `lane`. They keep their ids. What is sent again is counted ' +
    'apart. A replay survives a restart, and holds up no limit of the buffer. At most 16 are active.',
  request: { body: { required: true, content: { 'application/json': { schema: Asked } } } },
  responses: {
    201: {
      description: 'It is on disk, and begins.',
      headers: z.object({ Location: z.string() }),
      content: { 'application/json': { schema: Replay } },
    },
    ...problemResponses([
      'uplink_not_configured',
      'too_many_replays',
      'bad_range',
      'buffer_full',
      'too_busy',
      'store_timeout',
    ]),
  },
});

const listReplays = createRoute({
  method: 'get',
  path: '/v1/replays',
  summary: 'Replays, newest first: all that are active, and the last hundred that are done',
  responses: {
    200: { description: 'All of them.', content: { 'application/json': { schema: ReplayList } } },
    ...problemResponses(['too_busy', 'store_timeout']),
  },
});

const getReplay = createRoute({
  method: 'get',
  path: '/v1/replays/{id}',
  summary: 'One replay',
  request: { params: Id },
  responses: { 200: ONE_REPLAY, ...problemResponses(['replay_not_found', 'too_busy', 'store_timeout']) },
});

const removeReplay = createRoute({
  method: 'delete',
  path: '/v1/replays/{id}',
  summary: 'Cancel a replay, or forget one that is done; a batch that is on its way may still arrive',
  request: { params: Id },
  responses: {
    204: { description: 'It is gone.' },
    ...problemResponses(['replay_not_found', 'too_busy', 'store_timeout']),
  },
});

export function replayRoutes(app: Api, { replays, room, views }: ApiContext): void {
  app.openapi(startReplay, async (c) => {
    const replay = replayOf(c.req.valid('json'));
    if (!carries(views.uplinks.list(), replay)) throw notConfigured();
    const { full } = views.stats();
    if (full !== null) throw bufferFull(full);
    const started = await room.wait(0, () => replays.addReplay(replay));
    return c.json(replayJson(started), 201, { location: `/v1/replays/${started.id}` });
  });
  app.openapi(listReplays, async (c) => {
    const all = await room.wait(0, () => replays.replays());
    return c.json({ replays: all.map(replayJson) }, 200);
  });
  app.openapi(getReplay, async (c) => {
    const { id: wanted } = c.req.valid('param');
    const found = (await room.wait(0, () => replays.replays())).find(({ id }) => id === wanted);
    if (found === undefined) throw notFound();
    return c.json(replayJson(found), 200);
  });
  app.openapi(removeReplay, async (c) => {
    const { id } = c.req.valid('param');
    if (!(await room.wait(0, () => replays.removeReplay(id)))) throw notFound();
    return c.body(null, 204);
  });
}

/** @throws SluiceError `bad_range` */
function replayOf(asked: z.infer<typeof Asked>): NewReplay {
  const { uplink, stream, device = null, first_seq: firstSeq = 1, last_seq: upTo = Number.MAX_SAFE_INTEGER } = asked;
  const from = asked.from === undefined ? null : Date.parse(asked.from);
  const to = asked.to === undefined ? null : Date.parse(asked.to);
  if (firstSeq > upTo) throw badRange('first_seq', 'last_seq');
  if (from !== null && to !== null && from >= to) throw badRange('from', 'to');
  return { uplink, stream, device, after: firstSeq - 1, upTo, from, to };
}

function replayJson({ id, uplink, stream, device, ...replay }: ReplayStats): z.infer<typeof Replay> {
  const { from, to, after, upTo, isDone, at, cursor } = replay;
  return {
    ...{ id, uplink, stream, device },
    from: toTime(from),
    to: toTime(to),
    first_seq: after + 1,
    last_seq: upTo,
    state: isDone ? 'done' : 'active',
    created_at: toTime(at),
    cursor,
    delivered: replay.deliveredCount,
    rejected: replay.rejectedCount,
    removed: replay.removedCount,
  };
}

function badRange(first: string, last: string): SluiceError {
  return new SluiceError(`"${first}" is not before "${last}"`, {
    code: 'bad_range',
    hint: 'Leave one of them out to have no limit there.',
  });
}

function notConfigured(): SluiceError {
  return new SluiceError('no uplink of that name that carries the stream is configured', {
    code: 'uplink_not_configured',
    hint: 'GET /v1/uplinks lists the uplinks, and the streams of each among its lanes.',
  });
}

function notFound(): SluiceError {
  return new SluiceError('there is no such replay', {
    code: 'replay_not_found',
    hint: 'It may have been cancelled, or forgotten long after it was done. GET /v1/replays lists what there is.',
  });
}
