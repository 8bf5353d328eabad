import { z } from '@hono/zod-openapi';
import type { HonoRequest } from 'hono';
import { COMMAND_NAME, MAX_COMMAND_BYTES } from '../core/command.ts';
import { COMMAND_TIMEOUT_MS } from '../core/commands.ts';
import { SluiceError } from '../core/errors.ts';
import { declaredType } from './ingest-request.ts';
import { refuseRequest } from './refuse-request.ts';

const { min, max, default: usual } = COMMAND_TIMEOUT_MS;
/** Behind a minute in which nothing moves the server closes the connection. */
const MAX_WAIT_MS = 50_000;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000 };

export const ASKED_EXAMPLE = { params: { seconds: 30 }, timeout_ms: 5_000 };

/** Described here and parsed by hand: a body may be left out. */
export const ASKED_SCHEMA = {
  type: 'object' as const,
  additionalProperties: false,
  properties: {
    params: { description: `Any JSON of at most ${MAX_COMMAND_BYTES} bytes, handed to the device as it is.` },
    timeout_ms: {
      type: 'integer' as const,
      minimum: min,
      maximum: max,
      default: usual,
      description: 'How long the command may wait for its device and for the answer, in milliseconds.',
    },
  },
  example: ASKED_EXAMPLE,
};

const Asked = z.strictObject({
  params: z.unknown().optional(),
  timeout_ms: z.int().min(min).max(max).default(usual),
});

/** @throws SluiceError `unsupported_media_type`, `bad_request` */
export async function askedOf(request: HonoRequest): Promise<z.infer<typeof Asked>> {
  const text = await request.text();
  if (text !== '') declaredType(request, ['application/json']);
  const asked = Asked.safeParse(text === '' ? {} : parsed(text));
  return asked.success ? asked.data : refuseRequest(asked.error);
}

export const WaitQuery = z.object({
  wait: z
    .string()
    .regex(/^\d{1,6}(?:ms|s)$/, 'Use a duration such as 500ms or 5s.')
    .optional()
    .openapi({ description: 'Answer when the device has, at most after so long: `5s`, up to `50s`.', example: '5s' }),
});

/** Milliseconds; undefined when nobody is to wait. @throws SluiceError `bad_request` */
export function waitMsOf({ wait }: z.infer<typeof WaitQuery>): number | undefined {
  if (wait === undefined) return undefined;
  const [, amount, unit = ''] = /^(\d+)(\w+)$/.exec(wait) ?? [];
  const ms = Number(amount) * (UNIT_MS[unit] ?? Number.NaN);
  if (ms <= MAX_WAIT_MS) return ms;
  throw new SluiceError('"wait" is too long', { code: 'bad_request', hint: 'Wait for at most 50s, then look again.' });
}

/** @throws SluiceError `bad_command_name` */
export function checkCommandName(name: string): string {
  if (COMMAND_NAME.test(name)) return name;
  throw new SluiceError('this is no name of a command', {
    code: 'bad_command_name',
    hint: 'Use 1 to 128 characters of A-Z a-z 0-9 . _ -',
  });
}

/** @throws SluiceError `bad_request` */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SluiceError('the body is no JSON', { code: 'bad_request', hint: 'Send an object, or no body.' });
  }
}
