/** What every kind of uplink has. */

import { z } from 'zod';
import { STREAMS } from '../../core/stream.ts';
import { ANY_LIST, choice, count, duration, flag, flagAbout, section, share, size, text } from './options.ts';

const NAME = { pattern: /^[a-z0-9_-]{1,64}$/, rule: '1 to 64 characters of a-z 0-9 _ -' };
const TYPE_PREFIX = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
  rule: '1 to 100 characters of A-Z a-z 0-9 . _ -, the first a letter or digit',
};

const streams = z
  .array(z.enum(STREAMS))
  .min(1)
  .refine((list) => new Set(list).size === list.length, { ...ANY_LIST, message: 'names a stream twice' })
  .prefault([...STREAMS])
  .meta({
    description: 'Streams that this uplink carries.',
    'x-type': `list of ${STREAMS.map((stream) => `\`${stream}\``).join(', ')}`,
  });

export const BATCH_RECORDS = { min: 1, max: 100_000, unit: 'records' } as const;

export const BATCH = {
  maxRecords: count(1000, 'Records sent at once.', BATCH_RECORDS),
  maxBytes: size('1MiB', 'Bytes sent at once; a single larger record goes alone.', { min: '1KiB', max: '64MiB' }),
  maxWait: duration('0ms', 'How long a batch that is not full waits for more. 0ms: never.', { min: '0ms', max: '1m' }),
};
export const BATCH_ABOUT = { description: 'How much is sent at once.' };

const backoff = section({
  initial: duration('250ms', 'Pause after the first failure; doubled after each further one, with jitter.', {
    min: '1ms',
    max: '1h',
  }),
  max: duration('30s', 'Longest pause. It is tried for ever.', { min: '1ms', max: '1d' }),
})
  .refine(({ initial, max }) => initial <= max, { path: ['max'], message: 'must not be less than backoff.initial' })
  .prefault({})
  .meta({ description: 'Pauses between attempts while the upstream cannot be reached.' });

const ORDER = {
  order: choice(
    ['strict', 'live_first'],
    'strict',
    'Records of a device arrive in the order of their acceptance, within a stream. `live_first`: when the uplink goes on after an outage, fresh telemetry is sent first, and the backlog beside it, in its order, marked `ce_lane: backfill`.',
  ),
  eventsLiveFirst: flag()
    .prefault(false)
    .meta(flagAbout('With `live_first`: fresh events are sent first too. State, responses and gaps never are.')),
  backlogShare: share(
    0.5,
    'Share of the link that backlogs and replays have while there are fresh records; all of it while there are none.',
    { min: 0.05 },
  ),
};

const METER = {
  maxBytesPerSecond: size(
    '0B',
    'Bytes of keys, values and headers sent in a second, before compression. 0B: as many as the link carries.',
    {
      min: '0B',
      max: '1TiB',
    },
  ),
  maxBytesPerDay: size(
    '0B',
    'Bytes sent on a UTC day, counted in the same way, every attempt; what is beyond waits for the next day. 0B: no limit.',
    {
      min: '0B',
      max: '1TiB',
    },
  ),
  eventsOverBudget: flag()
    .prefault(false)
    .meta(flagAbout('Whether events are sent although `maxBytesPerDay` is spent. They are counted all the same.')),
};

/** The options every uplink has; `type` names the kind, which is the default name too. */
export function commonOptions(type: string) {
  return {
    name: text(NAME).prefault(type).meta({
      description:
        'Name of the uplink, unique. Its position in the log is kept under this name: another name begins anew.',
      'x-type': NAME.rule,
    }),
    streams,
    from: choice(
      ['oldest', 'now'],
      'oldest',
      'Where a new uplink begins: with the oldest record kept, or with the next one.',
    ),
    typePrefix: text(TYPE_PREFIX).prefault('sluice').meta({
      description: 'First part of the CloudEvents type: `{typePrefix}.{stream}`.',
      'x-type': TYPE_PREFIX.rule,
    }),
    ...ORDER,
    batch: section(BATCH).prefault({}).meta(BATCH_ABOUT),
    ...METER,
    backoff,
  };
}
