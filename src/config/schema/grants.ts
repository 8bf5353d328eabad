import { z } from 'zod';
import { placeholdersOf } from '../../core/placeholders.ts';
import { parseTopicPattern } from '../../core/topic-pattern.ts';
import { section, text } from './options.ts';

const DEVICE = {
  pattern: /^[A-Za-z0-9._*-]{1,128}$/,
  rule: 'a device id, in which * stands for anything: 1 to 128 characters of A-Z a-z 0-9 . _ - *',
};

/** Filters with `{device}` for the device's own id. */
function filters(description: string) {
  const filter = z.string({ error: 'must be text: a topic filter' }).superRefine((written, context) => {
    const problem = problemOf(written);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });
  return z.array(filter).max(100).prefault([]).meta({ description, 'x-type': 'list of topic filters' });
}

function problemOf(written: string): string | undefined {
  const unknown = placeholdersOf(written).find((name) => name !== 'device');
  if (unknown !== undefined) return 'has an unknown placeholder (known here: {device})';
  if (written.startsWith('$')) return 'begins with $: that is the broker’s own';
  const pattern = parseTopicPattern(written);
  if (typeof pattern === 'string') return pattern;
  return pattern.captures.size > 0 ? 'has names for its wildcards: here they are plain + and #' : undefined;
}

export const grants = z
  .array(
    section({
      device: text(DEVICE).meta({ description: 'Whom it is for; `*` stands for anything.', 'x-type': 'device id' }),
      publish: filters('Topics that it may publish to; `{device}` is its id.'),
      subscribe: filters('Topics that it may subscribe to; `{device}` is its id.'),
    }),
  )
  .max(1000)
  .prefault([])
  .meta({
    description: 'What devices that log in may do beside `devices/{their id}/…`.',
    'x-sample': [{ device: 'tasmota-*', publish: ['tele/{device}/#'], subscribe: ['cmnd/{device}/#'] }],
  });
