import { createRoute, z } from '@hono/zod-openapi';
import type { LogStats } from '../../core/log-stats.ts';
import type { WearView } from '../../core/views.ts';
import type { Api, ApiContext } from '../context.ts';
import { ageSeconds, earliest, toTime } from '../times.ts';

const WearState = z.object({
  written_bytes: z.int().nullable().openapi({ description: 'Since the process started.' }),
  bytes_per_record: z.int().nullable().openapi({
    description: 'Since the process started; null in the first minute, and for the first 100 records.',
  }),
  bytes_per_day: z.int().nullable().openapi({ description: 'At the rate since then; null in the first minute.' }),
  device_bytes_per_day: z.int().nullable().openapi({
    description: 'By all programs, to the device that holds the store; null where the system does not say.',
  }),
  endurance_bytes: z.int().nullable().openapi({ description: '`buffer.cardEndurance`; null when it is not set.' }),
  card_life_days: z.int().nullable().openapi({ description: 'What a new card lasts at this rate.' }),
});

const BufferState = z
  .object({
    used_bytes: z.int(),
    max_bytes: z.int(),
    capacity_bytes: z.int().openapi({ description: 'What of it there is room for on the disk.' }),
    room_bytes: z.int().openapi({
      description:
        'What may still be stored before records are dropped that an uplink has not delivered. When it is less than what ' +
        '`buffer.highWater` leaves of `capacity_bytes`, devices are held to their share.',
    }),
    free_bytes: z.int().openapi({ description: 'Free on the disk.' }),
    keep_free_bytes: z.int(),
    max_age_seconds: z.number().openapi({ description: 'Older records are removed.' }),
    oldest_pending_at: z
      .string()
      .nullable()
      .openapi({ description: 'When the oldest record came that an uplink still has before it; null when none has.' }),
    oldest_pending_seconds: z.number().nullable().openapi({ description: 'Its age.' }),
    full: z.string().nullable().openapi({ description: 'Why nothing can be stored now, or null.' }),
    written_bytes: z.int().openapi({ description: 'To the store, since the process started.' }),
    salvaged: z
      .number()
      .nullable()
      .openapi({
        description:
          'While records of a damaged log are put back: the part of it that was looked through, from 0 to 1. Forwarding ' +
          'waits for the end of it.',
      }),
    set_aside_bytes: z.int().openapi({
      description:
        'Of damaged files that were set aside, kept for people until their room is needed. What could not be put back of ' +
        'them is in `gaps` with reason `corruption`; nobody knows how much a gap with `count` 0 is.',
    }),
    wear: WearState.openapi({ description: 'What the gateway writes to the card or disk; null where nobody knows.' }),
    refused: z.int().openapi({ description: 'Refused messages kept aside.' }),
    rejects: z.int().openapi({ description: 'Rejected records kept aside.' }),
    streams: z.array(
      z.object({
        stream: z.string(),
        accepted: z.int(),
        stored: z.int(),
        last_seq: z.int(),
        oldest_at: z.string().nullable(),
        over_share: z.int().openapi({
          description: 'Records refused because their device was over its share; they are in no other count.',
        }),
      }),
    ),
    drops: z
      .array(z.object({ uplink: z.string(), stream: z.string(), reason: z.string(), count: z.int() }))
      .openapi({ description: 'Records removed undelivered, by the limit that did it.' }),
  })
  .openapi('Buffer', {
    example: {
      used_bytes: 73_400_320,
      max_bytes: 2_147_483_648,
      capacity_bytes: 2_143_289_344,
      room_bytes: 2_143_100_000,
      free_bytes: 12_884_901_888,
      keep_free_bytes: 536_870_912,
      max_age_seconds: 2_592_000,
      oldest_pending_at: '2026-05-01T11:59:59.700Z',
      oldest_pending_seconds: 0.3,
      full: null,
      written_bytes: 88_080_384,
      salvaged: null,
      set_aside_bytes: 0,
      wear: {
        written_bytes: 90_177_536,
        bytes_per_record: 545,
        bytes_per_day: 4_708_800_000,
        device_bytes_per_day: 5_100_000_000,
        endurance_bytes: 32_985_348_833_280,
        card_life_days: 6_467,
      },
      refused: 3,
      rejects: 0,
      streams: [
        {
          stream: 'telemetry',
          accepted: 402_113,
          stored: 402_113,
          last_seq: 1_402_113,
          oldest_at: '2026-04-24T08:12:31.004Z',
          over_share: 0,
        },
      ],
      drops: [{ uplink: 'plant', stream: 'telemetry', reason: 'max_bytes', count: 0 }],
    },
  });

const buffer = createRoute({
  method: 'get',
  path: '/v1/buffer',
  summary: 'How full the buffer is, and what it dropped',
  responses: { 200: { description: 'The buffer.', content: { 'application/json': { schema: BufferState } } } },
});

export function bufferRoutes(app: Api, { views, now }: ApiContext): void {
  app.openapi(buffer, (c) => c.json(bufferJson(views.stats(), views.wear(), now()), 200));
}

function wearJson(wear: WearView): z.infer<typeof WearState> {
  return {
    written_bytes: wear.writtenBytes,
    bytes_per_record: rounded(wear.bytesPerRecord),
    bytes_per_day: rounded(wear.bytesPerDay),
    device_bytes_per_day: rounded(wear.deviceBytesPerDay),
    endurance_bytes: wear.enduranceBytes,
    card_life_days: rounded(wear.cardLifeDays),
  };
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}

function bufferJson(stats: LogStats, wear: WearView, now: number): z.infer<typeof BufferState> {
  const oldest = earliest(stats.lanes.map((lane) => lane.oldestPendingAt));
  return {
    used_bytes: stats.bytes,
    max_bytes: stats.maxBytes,
    capacity_bytes: whole(stats.room.capacityBytes, stats.maxBytes),
    room_bytes: whole(stats.room.bytes, stats.maxBytes),
    free_bytes: stats.freeBytes,
    keep_free_bytes: stats.keepFreeBytes,
    max_age_seconds: stats.maxAgeMs / 1000,
    oldest_pending_at: toTime(oldest),
    oldest_pending_seconds: ageSeconds(oldest, now),
    full: stats.full,
    written_bytes: stats.writtenBytes,
    salvaged: stats.salvaged,
    set_aside_bytes: stats.setAsideBytes,
    wear: wearJson(wear),
    refused: stats.refusedCount,
    rejects: stats.rejectsCount,
    streams: stats.streams.map((stream) => ({
      stream: stream.stream,
      accepted: stream.acceptedCount,
      stored: stream.storedCount,
      last_seq: stream.lastSeq,
      oldest_at: toTime(stream.oldestReceivedAt),
      over_share: stream.overShareCount,
    })),
    drops: stats.lanes.flatMap(({ uplink, stream, droppedByReason }) =>
      Object.entries(droppedByReason).map(([reason, count]) => ({ uplink, stream, reason, count })),
    ),
  };
}

/** Nothing is known in the first moment. */
function whole(bytes: number, otherwise: number): number {
  return Number.isFinite(bytes) ? Math.round(bytes) : otherwise;
}
