/** How frames stand on a serial line. Options that a framing has no use for are problems. */

import { z } from 'zod';
import { CHECKSUM_TYPES } from '../../core/checksum-type.ts';
import { FRAMINGS, framingProblems } from './framing-check.ts';
import { ANY_MAPPING, bytes, count, duration, oneOf, optionalChoice, section, size } from './options.ts';

/** An option without its default: which one it is depends on the framing. */
function whenGiven<T extends z.ZodType>(option: z.ZodPrefault<T>) {
  return option
    .unwrap()
    .optional()
    .meta({ ...option.meta() });
}

const checkMapping = section({
  type: z.enum(CHECKSUM_TYPES).meta({
    description: 'Which one.',
    'x-type': oneOf(CHECKSUM_TYPES),
    'x-sample': 'crc16-ccitt',
  }),
  place: optionalChoice(['end', 'start'], 'Behind or before the bytes that it covers; `end` when left out.'),
  order: optionalChoice(
    ['big', 'little'],
    'Which byte comes first; when left out `little` for crc16-modbus, else `big`.',
  ),
  form: optionalChoice(['binary', 'hex'], '`hex`: two digits for each byte. `binary` when left out.'),
});

const check = z
  .union(
    [
      z
        .enum(CHECKSUM_TYPES)
        .transform((type) => ({ type }))
        .pipe(checkMapping),
      checkMapping,
    ],
    {
      error: `must be ${CHECKSUM_TYPES.join(' or ')}, or a mapping of type, place, order and form`,
    },
  )
  .optional()
  .meta({
    description: 'Checksum in each frame: one that does not fit makes the frame bad.',
    'x-type': `${oneOf(CHECKSUM_TYPES)}, or a mapping`,
    'x-sample': 'crc16-ccitt',
  });

const START = 'What each frame begins with; no part of the payload.';
const OF_LENGTH = 'With `length-prefixed`: ';

const mapping = section({
  type: z.enum(FRAMINGS).meta({
    description: 'How a frame is told from the next one.',
    'x-type': oneOf(FRAMINGS),
    'x-sample': 'cobs',
  }),
  check,
  maxFrameBytes: size('4KiB', 'Longest frame on the line, what frames it included.', { min: '4B', max: '64KiB' }),
  ending: optionalChoice(
    ['lf', 'crlf', 'cr'],
    'With `lines`: how they end; `lf`, which takes CRLF too, when left out.',
  ),
  delimiter: bytes('With `delimiter`: what stands behind each frame.').optional(),
  start: bytes(`With \`start-end\`, \`fixed\` and \`length-prefixed\`: ${START}`).optional(),
  end: bytes('With `start-end`: what each frame ends in.').optional(),
  length: whenGiven(
    count(1, 'With `fixed`: bytes of a frame, with `start` and checksum.', { min: 1, max: 65_536, unit: 'bytes' }),
  ),
  lengthOffset: whenGiven(
    count(0, `${OF_LENGTH}bytes between \`start\` and the length; 0 when left out.`, {
      min: 0,
      max: 64,
      unit: 'bytes',
    }),
  ),
  lengthWidth: whenGiven(count(1, `${OF_LENGTH}bytes of the length: 1, 2 or 4; 1 when left out.`, { min: 1, max: 4 })),
  lengthOrder: optionalChoice(['big', 'little'], `${OF_LENGTH}which byte comes first; \`big\` when left out.`),
  lengthCovers: optionalChoice(
    ['rest', 'itself', 'all'],
    `${OF_LENGTH}what it counts: what follows it, that and itself, or the whole frame; \`rest\` when left out. A checksum is a part of each.`,
  ),
  gap: whenGiven(
    duration(
      '1s',
      'With `inter-byte-timeout`: silence that ends a frame, 50ms when left out. With `fixed`, `length-prefixed` and `start-end`: silence after which a frame does not go on, 1s when left out. 0ms: never.',
      { min: '0ms', max: '1m' },
    ),
  ),
}).superRefine((written, context) => {
  for (const [option, message] of framingProblems(written)) {
    context.addIssue({ code: 'custom', path: [option], message });
  }
}, ANY_MAPPING);

/** `framing: lines`, or a mapping that says more. */
export const framing = z
  .union(
    [
      z
        .enum(FRAMINGS)
        .transform((type) => ({ type }))
        .pipe(mapping),
      mapping,
    ],
    {
      error: `must be ${FRAMINGS.join(' or ')}, or a mapping with such a type`,
    },
  )
  .prefault('lines')
  .meta({
    description: 'How frames are told from each other: the name of a framing, or a mapping. See docs/serial.md.',
    'x-type': `${oneOf(FRAMINGS)}, or a mapping`,
  });

/** That of a port that says none. */
export const DEFAULT_FRAMING = framing.parse(undefined);
