import { z } from 'zod';
import { ROUTED_STREAMS } from '../../core/route.ts';
import { commands } from './commands.ts';
import { framing } from './framing.ts';
import { modbus } from './modbus.ts';
import {
  ANY_LIST,
  ANY_MAPPING,
  choice,
  count,
  duration,
  flag,
  flagAbout,
  section,
  size,
  text,
  type Written,
} from './options.ts';
import { DECODING, NAME, template } from './routes.ts';
import { checkPort } from './serial-check.ts';
import { SERIAL_SAMPLE } from './serial-sample.ts';

const PORT_NAME = { pattern: /^[A-Za-z0-9._-]{1,64}$/, rule: '1 to 64 characters of A-Z a-z 0-9 . _ -' };
const PATH = {
  pattern: /^(?:\/[^\0*/]+)*\/(?=[^/])[^\0*/]*\*?[^\0*/]*$/,
  rule: 'an absolute path; its last part may have one *',
};
const ANSWER_TYPE = 'text with {frame}, or bytes such as 0x06';

/** Braces alone, as in JSON, are only braces. */
function answer(description: string, type = ANSWER_TYPE) {
  return z
    .string({ error: 'must be in quotes: "text", or bytes such as "0x06"' })
    .regex(/^[\s\S]{1,256}$/, 'must be 1 to 256 characters')
    .superRefine((text, context) => {
      for (const [, name = ''] of text.matchAll(/\{(\w+)\}/g)) {
        if (name === 'frame') continue;
        context.addIssue({ code: 'custom', message: `has an unknown placeholder {${name}} (known here: {frame})` });
      }
    })
    .optional()
    .meta({ description, 'x-type': type });
}

const dedupe = section({
  field: text(NAME).meta({
    description:
      'Name, as the payload has it, of the value that is the number of the frame: a whole number from 0 to 4,294,967,295.',
    'x-type': 'name',
    'x-sample': 'n',
  }),
  window: count(
    64,
    'Frames, the latest ones, among which a repeated one is recognised: at least as many as the device is ever ahead of the oldest one that has no answer.',
    { min: 1, max: 10_000, unit: 'frames' },
  ),
})
  .optional()
  .meta({
    description: 'Frames that are sent again are stored once: those of the same number and the same bytes.',
  });

const line = {
  baudRate: count(115_200, 'Speed of the line.', { min: 50, max: 4_000_000, unit: 'bit/s' }),
  dataBits: count(8, 'Bits of a character.', { min: 5, max: 8, unit: 'bits' }),
  parity: choice(['none', 'even', 'odd'], 'none', 'Whether each character has a parity bit.'),
  stopBits: count(1, 'Bits behind a character.', { min: 1, max: 2, unit: 'bits' }),
  flowControl: choice(
    ['none', 'hardware', 'software'],
    'none',
    'How the device is told to wait: by RTS and CTS, or by XON and XOFF. Without it frames are counted as overruns while too much waits.',
  ),
};

/** A port, or with a pattern several. */
export const serialPort = section({
  name: text(PORT_NAME).meta({
    description: 'Name of the port, unique; in logs, metrics and the API.',
    'x-type': PORT_NAME.rule,
    'x-sample': 'arduino-1',
  }),
  path: text(PATH).meta({
    description:
      'Device node, best by its link below /dev/serial/by-id, which stays the same. With `*` it may match several; what `*` stands for is `{port}`.',
    'x-type': PATH.rule,
    'x-sample': '/dev/serial/by-id/usb-Arduino_Uno-if00',
  }),
  ...line,
  lock: flag()
    .prefault(true)
    .meta(
      flagAbout('No other program that locks it, as a second gateway does, may open the port while it is open here.'),
    ),
  silenceTimeout: duration(
    '0ms',
    'A port that says nothing for so long is closed and opened again. 0ms: it may be silent.',
    { min: '0ms', max: '7d' },
  ),
  framing,
  modbus,
  topicFirst: flag()
    .prefault(false)
    .meta(
      flagAbout(
        'Each frame begins with what stands behind `devices/{id}/` in topics of MQTT, and a blank: `telemetry/temperature 21.5`, `events/door open`.',
      ),
    ),
  stream: choice(ROUTED_STREAMS, 'telemetry', 'What the frames are.'),
  device: template(
    'Whose they are; the id is made of it. `{name}` is that of the port; when left out `{name}`, with a pattern `{name}-{port}`, with `deviceFrom` `{device}`.',
  ).optional(),
  deviceFrom: text(NAME).optional().meta({
    description: 'Name, as the payload has it, of the value that says whose it is: `{device}`.',
    'x-type': 'name',
  }),
  ...DECODING,
  ack: answer(
    'Written to the port when a frame is on disk, or was before: `"OK {frame}\\n"`. Without `nack` refused frames are acknowledged too; `{frame}` is empty then.',
  ),
  nack: answer(
    'Written to the port when a frame is bad, or cannot be what it should be.',
    'text, or bytes such as 0x15',
  ),
  dedupe,
  commands,
  readyAfter: duration(
    '2s',
    'Commands wait for so long when the port was opened, or until it says something: most Arduinos begin anew then, and hear nothing meanwhile.',
    { min: '0ms', max: '1m' },
  ),
  maxWaiting: size(
    '1MiB',
    'What frames that wait for the disk may take of the memory; further ones are counted as overruns and reported in `gaps`.',
    { min: '4KiB', max: '64MiB' },
  ),
}).superRefine(checkPort, ANY_MAPPING);

/** All ports. */
export const serial = z
  .array(serialPort)
  .max(64)
  .superRefine((list: readonly unknown[], context) => {
    for (const option of ['name', 'path'] as const) {
      const values = list.map((port) => (port as Written | null)?.[option]);
      for (const [index, value] of values.entries()) {
        if (value === undefined || values.indexOf(value) === index) continue;
        context.addIssue({ code: 'custom', path: [index, option], message: `is the ${option} of another port` });
      }
    }
  }, ANY_LIST)
  .prefault([])
  .meta({
    description: 'Serial ports that are read: each needs a name and a path. See docs/serial.md.',
    'x-sample': SERIAL_SAMPLE,
  });
