/** What the devices of a serial port can be asked to do. Options that do not fit together are problems. */

import { z } from 'zod';
import { COMMAND_NAME } from '../../core/command.ts';
import { type CommandTemplate, KNOWN_PLACEHOLDERS, unknownPlaceholders } from '../../core/command-template.ts';
import { messageOf } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import { LAYOUT, StructLayout } from '../../core/struct-layout.ts';
import { TextPattern } from '../../core/text-pattern.ts';
import { ANY_LIST, ANY_MAPPING, section, text, type Written } from './options.ts';
import { NAME } from './routes.ts';

const NAME_RULE = { pattern: COMMAND_NAME, rule: '1 to 128 characters of A-Z a-z 0-9 . _ -' };
const LAYOUT_RULE = { pattern: LAYOUT, rule: 'a layout such as "<hI3f": < or >, then letters of xsbB?hHiIlLqQefd' };
const MAX_COMMANDS = 64;
/** As JSON. */
const MAX_TEMPLATE_LENGTH = 4_096;

type Report = (path: string, message: string) => void;

const write = z
  .union([z.string(), z.array(z.unknown()), z.record(z.string(), z.unknown())], {
    error: 'must be text in quotes, a mapping, or with layout a list of values',
  })
  .superRefine((template, context) => {
    if (JSON.stringify(template).length > MAX_TEMPLATE_LENGTH) {
      context.addIssue({ code: 'custom', message: `must be at most ${MAX_TEMPLATE_LENGTH} characters` });
    }
    for (const name of unknownPlaceholders(template as CommandTemplate)) {
      const message = `has an unknown placeholder {${printable(name, 40)}} (known here: ${KNOWN_PLACEHOLDERS})`;
      context.addIssue({ code: 'custom', message });
    }
  })
  .meta({
    description:
      'What is written, framed as `framing` says: text, a mapping for JSON, or with `layout` a list of values. `{params.level}` stands for that value of the command; `{request_id}`, `{device}`, `{name}` and `{params}` are known too.',
    'x-type': 'template',
    'x-sample': 'DIM {request_id} {params.level}',
  });

function expression(description: string) {
  return z
    .string({ error: 'must be text: an expression' })
    .max(1024)
    .superRefine((written, context) => {
      const problem = expressionProblem(written);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    })
    .optional()
    .meta({ description, 'x-type': 'expression with named groups' });
}

function expressionProblem(written: string): string | undefined {
  try {
    new TextPattern(written);
    return undefined;
  } catch (thrown) {
    return `is no expression of RE2: ${printable(messageOf(thrown), 200)}`;
  }
}

function where(description: string) {
  return z.record(z.string(), z.number()).optional().meta({ description, 'x-type': 'mapping of columns to numbers' });
}

const response = section({
  pattern: expression(
    'A frame that it matches is the answer: its named groups are the result; `request_id`, `status` and `error` mean what they mean over MQTT.',
  ),
  error: expression(
    'With `pattern`: a frame that it matches says that the command failed; the group `error`, or else the frame, says why.',
  ),
  encoding: z.enum(['text', 'hex']).optional().meta({
    description: 'With `pattern`: how it sees the frame, as text or as hexadecimal digits; `text` when left out.',
    'x-type': '`text` or `hex`',
  }),
  field: text(NAME).optional().meta({
    description:
      'A frame that is an object of JSON with the request id there is the answer; the rest of it is the result.',
    'x-type': 'name',
  }),
  layout: text(LAYOUT_RULE).optional().meta({
    description: 'A frame of so many bytes is the answer when `when` fits: the values of `columns` are the result.',
    'x-type': 'layout',
  }),
  columns: z.array(text(NAME)).min(1).max(64).optional().meta({
    description: 'With `layout`: names of the values; `_` leaves one out.',
    'x-type': 'list of names',
  }),
  when: where('With `layout`: what columns must be in an answer, so that it is told from other frames.'),
  errorWhen: where('With `layout`: what they are in one that says that the command failed.'),
})
  .superRefine(checkResponse, ANY_MAPPING)
  .optional()
  .meta({
    description:
      'How the answer is known among the frames: by `pattern`, `field` or `layout`. Without it nobody answers, and a command is done when it is written.',
  });

const KINDS = { pattern: ['error', 'encoding'], field: [], layout: ['columns', 'when', 'errorWhen'] } as const;

function checkResponse(response: object, context: z.core.$RefinementCtx): void {
  const written = response as Written;
  const report: Report = (path, message) => context.addIssue({ code: 'custom', path: [path], message });
  const [kind, ...others] = Object.keys(KINDS).filter((name) => written[name] !== undefined);
  if (kind === undefined) context.addIssue({ code: 'custom', message: 'needs one of pattern, field and layout' });
  for (const other of others) report(other, `does not fit ${kind}: one of them says what an answer is`);
  for (const [owner, options] of Object.entries(KINDS)) {
    for (const option of owner === kind ? [] : options) {
      if (kind !== undefined && !others.includes(owner) && written[option] !== undefined)
        report(option, `belongs to ${owner}`);
    }
  }
  if (kind === 'layout') checkLayout(written, report);
}

function checkLayout({ layout, columns, when, errorWhen }: Written, report: Report): void {
  if (when === undefined) report('when', 'is required by layout: it tells answers from other frames');
  if (!Array.isArray(columns)) {
    report('columns', 'is required by layout');
    return;
  }
  checkCount(layout, columns, (message) => report('columns', message));
  for (const [option, condition] of Object.entries({ when, errorWhen })) {
    for (const column of Object.keys((condition as Written | undefined) ?? {})) {
      if (!columns.includes(column)) report(option, `${printable(column, 40)} is none of the columns`);
    }
  }
}

function checkCount(layout: unknown, values: readonly unknown[], report: (message: string) => void): void {
  if (typeof layout !== 'string' || !LAYOUT.test(layout)) return;
  const { valueCount } = new StructLayout(layout);
  if (valueCount !== values.length) report(`has ${values.length} values, and layout has ${valueCount}`);
}

const command = section({
  name: text(NAME_RULE).meta({
    description: 'Name of the command, unique in the port.',
    'x-type': NAME_RULE.rule,
    'x-sample': 'dim',
  }),
  write,
  encoding: z.enum(['text', 'hex', 'base64']).optional().meta({
    description:
      'What the text of `write` stands for: itself, or bytes in hexadecimal digits or base64; `text` when left out.',
    'x-type': '`text` or `hex` or `base64`',
  }),
  layout: text(LAYOUT_RULE).optional().meta({
    description: 'How the values of `write` stand in the bytes, as with `format: struct`.',
    'x-type': 'layout',
  }),
  response,
}).superRefine(checkCommand, ANY_MAPPING);

function checkCommand(command: object, context: z.core.$RefinementCtx): void {
  const { write: template, encoding, layout } = command as Written;
  const report: Report = (path, message) => context.addIssue({ code: 'custom', path: [path], message });
  if (Array.isArray(template)) {
    if (layout === undefined) report('layout', 'is required when write is a list of values');
    checkCount(layout, template, (message) => report('write', message));
  } else if (layout !== undefined) report('layout', 'needs a list of values in write');
  if (encoding !== undefined && typeof template !== 'string') report('encoding', 'belongs to text in write');
}

export const commands = z
  .array(command)
  .max(MAX_COMMANDS)
  .superRefine((list: readonly unknown[], context) => {
    const names = list.map((each) => (each as Written | null)?.['name']);
    for (const [index, name] of names.entries()) {
      if (name === undefined || names.indexOf(name) === index) continue;
      context.addIssue({ code: 'custom', path: [index, 'name'], message: 'is the name of another command' });
    }
  }, ANY_LIST)
  .prefault([])
  .meta({ description: 'What its devices can be asked to do: see docs/serial.md.' });
