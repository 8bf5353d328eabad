import { createRoute, z } from '@hono/zod-openapi';
import { dayOf, endOf, mayPassBudget } from '../../core/day-budget.ts';
import { SluiceError } from '../../core/errors.ts';
import type { BackfillStats, LaneStats, UplinkTotals } from '../../core/log-stats.ts';
import type { UplinkView } from '../../core/views.ts';
import type { Api, ApiContext } from '../context.ts';
import { problemResponses } from '../problems.ts';
import { type DayBudget, secondsToDrained } from '../seconds-to-drained.ts';
import { ageSeconds, earliest, toTime } from '../times.ts';

const COUNTS_EXAMPLE = { accepted: 402_113, delivered: 402_100, rejected: 0, dropped: 0, pending: 13 };

const UPLINK_EXAMPLE = {
  name: 'plant',
  type: 'kafka' as const,
  state: 'up' as const,
  reason: null,
  code: null,
  since: '2026-05-01T06:31:07.220Z',
  retry_at: null,
  last_delivered_at: '2026-05-01T11:59:59.811Z',
  rate: 41.3,
  oldest_pending_at: '2026-05-01T11:59:59.700Z',
  lag_seconds: 0.3,
  arrival_rate: 41.2,
  seconds_to_drained: 0.31,
  replayed: 0,
  sent_bytes_today: null,
  max_bytes_per_second: null,
  max_bytes_per_day: null,
  totals: COUNTS_EXAMPLE,
  lanes: [
    {
      stream: 'telemetry',
      cursor: 1_402_100,
      ...COUNTS_EXAMPLE,
      dropped_by_reason: {},
      oldest_pending_at: '2026-05-01T11:59:59.700Z',
    },
  ],
  backfills: [],
};

const Counts = z
  .object({ accepted: z.int(), delivered: z.int(), rejected: z.int(), dropped: z.int(), pending: z.int() })
  .openapi('Counts', { description: 'accepted = delivered + rejected + dropped + pending, since the uplink began.' });

const Lane = Counts.extend({
  stream: z.string(),
  cursor: z.int().openapi({ description: 'Seq up to which everything is settled.' }),
  dropped_by_reason: z.record(z.string(), z.int()),
  oldest_pending_at: z.string().nullable(),
}).openapi('Lane');

const Backfill = z
  .object({
    id: z.int(),
    stream: z.string(),
    cursor: z.int().openapi({ description: 'Seq up to which it is settled.' }),
    last_seq: z.int(),
    since: z.string().nullable().openapi({ description: 'When the lane went on with fresh records.' }),
  })
  .openapi('Backfill', {
    description: 'What `order: live_first` skipped, and is sent beside the lane: pending of it.',
  });

const Uplink = z
  .object({
    name: z.string(),
    type: z.enum(['kafka', 'file']),
    state: z.enum(['connecting', 'up', 'down', 'blocked', 'paused', 'stopped']),
    reason: z.string().nullable().openapi({ description: 'In plain words, with what to do; null when all is well.' }),
    code: z.string().nullable(),
    since: z.string().nullable(),
    retry_at: z.string().nullable(),
    last_delivered_at: z.string().nullable(),
    rate: z.number().openapi({ description: 'Records delivered per second, over the last ten; without replays.' }),
    oldest_pending_at: z.string().nullable(),
    lag_seconds: z.number().openapi({ description: 'Age of the oldest pending record; 0 when none is.' }),
    arrival_rate: z.number().openapi({ description: 'Records accepted per second, over the last ten.' }),
    seconds_to_drained: z
      .number()
      .nullable()
      .openapi({
        description:
          'Until nothing is pending, at the present rates of delivery and of arrival, with a pause each day when ' +
          '`maxBytesPerDay` is spent, for events too when others are pending; what is delivered within a second counts as ' +
          'drained by then. null when it does not become less, while the uplink is not `up`, and while it waits until `retry_at`.',
      }),
    replayed: z.int().openapi({ description: 'Records that replays delivered, ever.' }),
    sent_bytes_today: z
      .int()
      .nullable()
      .openapi({
        description:
          'On this UTC day: key, value and headers before compression, every attempt. null for a link without ' +
          '`maxBytesPerSecond` and `maxBytesPerDay`.',
      }),
    max_bytes_per_second: z.int().nullable().openapi({ description: '`maxBytesPerSecond`; null without a limit.' }),
    max_bytes_per_day: z.int().nullable().openapi({ description: '`maxBytesPerDay`; null without a limit.' }),
    totals: Counts,
    lanes: z.array(Lane),
    backfills: z.array(Backfill),
  })
  .openapi('Uplink', { example: UPLINK_EXAMPLE });

const UplinkList = z.object({ uplinks: z.array(Uplink) }).openapi('UplinkList', {
  example: { uplinks: [UPLINK_EXAMPLE] },
});
const UplinkName = z.object({ name: z.string().openapi({ example: 'plant' }) });

const ONE_UPLINK = {
  200: { description: 'The uplink.', content: { 'application/json': { schema: Uplink } } },
  ...problemResponses(['uplink_not_found']),
} as const;

const listUplinks = createRoute({
  method: 'get',
  path: '/v1/uplinks',
  summary: 'Uplinks, as configured',
  responses: { 200: { description: 'All of them.', content: { 'application/json': { schema: UplinkList } } } },
});

const getUplink = createRoute({
  method: 'get',
  path: '/v1/uplinks/{name}',
  summary: 'One uplink',
  request: { params: UplinkName },
  responses: ONE_UPLINK,
});

const pauseUplink = createRoute({
  method: 'post',
  path: '/v1/uplinks/{name}/pause',
  summary: 'Hold an uplink, also over restarts; records stay in the buffer',
  request: { params: UplinkName },
  responses: ONE_UPLINK,
});

const resumeUplink = createRoute({
  method: 'post',
  path: '/v1/uplinks/{name}/resume',
  summary: 'Let a paused uplink go on',
  request: { params: UplinkName },
  responses: ONE_UPLINK,
});

export function uplinkRoutes(app: Api, context: ApiContext): void {
  const { uplinks } = context.views;
  app.openapi(listUplinks, (c) => c.json({ uplinks: uplinks.list().map((view) => uplinkJson(view, context)) }, 200));
  app.openapi(getUplink, (c) => c.json(uplinkNamed(c.req.valid('param').name, context), 200));
  app.openapi(pauseUplink, async (c) => {
    const { name } = c.req.valid('param');
    await uplinks.pause(name);
    return c.json(uplinkNamed(name, context), 200);
  });
  app.openapi(resumeUplink, async (c) => {
    const { name } = c.req.valid('param');
    await uplinks.resume(name);
    return c.json(uplinkNamed(name, context), 200);
  });
}

function uplinkNamed(name: string, context: ApiContext): z.infer<typeof Uplink> {
  const view = context.views.uplinks.list().find((uplink) => uplink.name === name);
  if (view !== undefined) return uplinkJson(view, context);
  throw new SluiceError('there is no such uplink', {
    code: 'uplink_not_found',
    hint: 'GET /v1/uplinks lists those of the configuration.',
  });
}

function uplinkJson({ name, type, link, ...limits }: UplinkView, { views, now }: ApiContext): z.infer<typeof Uplink> {
  const stats = views.stats();
  const lanes = stats.lanes.filter((lane) => lane.uplink === name);
  const own = stats.uplinks.find(({ uplink }) => uplink === name);
  const arrivalRate = views.arrivalRate(name);
  const totals = total(lanes);
  const oldest = earliest(lanes.map((lane) => lane.oldestPendingAt));
  const at = now();
  const sentBytes = own === undefined ? null : sentToday(own, at);
  const waitsForBudget = lanes.some(({ stream, pendingCount }) => pendingCount > 0 && !mayPassBudget(stream, limits));
  const budget = waitsForBudget ? dayBudget(limits.maxBytesPerDay, sentBytes ?? 0, at) : null;
  return {
    name,
    type,
    state: link.state,
    reason: link.reason,
    code: link.code,
    since: toTime(link.since),
    retry_at: toTime(link.retryAt),
    last_delivered_at: toTime(link.lastDeliveredAt),
    rate: link.rate,
    oldest_pending_at: toTime(oldest),
    lag_seconds: ageSeconds(oldest, at) ?? 0,
    arrival_rate: arrivalRate,
    seconds_to_drained: secondsToDrained({ pendingCount: totals.pending, link, arrivalRate, budget }),
    replayed: own?.replayedCount ?? 0,
    sent_bytes_today: sentBytes,
    max_bytes_per_second: limits.maxBytesPerSecond,
    max_bytes_per_day: limits.maxBytesPerDay,
    totals,
    lanes: lanes.map(laneJson),
    backfills: stats.backfills.filter(({ uplink }) => uplink === name).map(backfillJson),
  };
}

function backfillJson({ id, stream, cursor, upTo, at }: BackfillStats): z.infer<typeof Backfill> {
  return { id, stream, cursor, last_seq: upTo, since: toTime(at) };
}

function sentToday({ sent }: UplinkTotals, now: number): number | null {
  if (sent === null) return null;
  return sent.day === dayOf(now) ? sent.bytes : 0;
}

function dayBudget(maxBytesPerDay: number | null, sentBytes: number, now: number): DayBudget | null {
  if (maxBytesPerDay === null) return null;
  const leftTodayS = (endOf(dayOf(now)) - now) / 1_000;
  return { maxBytesPerDay, leftTodayBytes: Math.max(0, maxBytesPerDay - sentBytes), leftTodayS };
}

function laneJson(lane: LaneStats): z.infer<typeof Lane> {
  return {
    stream: lane.stream,
    cursor: lane.cursor,
    ...countsOf(lane),
    dropped_by_reason: { ...lane.droppedByReason },
    oldest_pending_at: toTime(lane.oldestPendingAt),
  };
}

function countsOf(lane: LaneStats): z.infer<typeof Counts> {
  return {
    accepted: lane.acceptedCount,
    delivered: lane.deliveredCount,
    rejected: lane.rejectedCount,
    dropped: lane.droppedCount,
    pending: lane.pendingCount,
  };
}

function total(lanes: readonly LaneStats[]): z.infer<typeof Counts> {
  const sum = { accepted: 0, delivered: 0, rejected: 0, dropped: 0, pending: 0 };
  for (const counts of lanes.map(countsOf)) {
    sum.accepted += counts.accepted;
    sum.delivered += counts.delivered;
    sum.rejected += counts.rejected;
    sum.dropped += counts.dropped;
    sum.pending += counts.pending;
  }
  return sum;
}
