import { z } from '@hono/zod-openapi';
import { SluiceError } from '../core/errors.ts';

interface Kind {
  readonly status: number;
  readonly title: string;
}

/** Every problem the API can answer with, by code. */
const KINDS = new Map<string, Kind>(
  Object.entries({
    bad_request: { status: 400, title: 'Bad request' },
    bad_limit: { status: 400, title: 'Bad limit' },
    bad_cursor: { status: 400, title: 'Bad cursor' },
    host_not_allowed: { status: 403, title: 'Host not allowed' },
    origin_not_allowed: { status: 403, title: 'Origin not allowed' },
    not_found: { status: 404, title: 'Not found' },
    device_not_found: { status: 404, title: 'Device not found' },
    uplink_not_found: { status: 404, title: 'Uplink not found' },
    method_not_allowed: { status: 405, title: 'Method not allowed' },
    device_exists: { status: 409, title: 'Device exists' },
    too_many_devices: { status: 409, title: 'Too many devices' },
    body_too_large: { status: 413, title: 'Body too large' },
    bad_device_id: { status: 422, title: 'Bad device id' },
    weak_secret: { status: 422, title: 'Weak secret' },
    internal_error: { status: 500, title: 'Internal error' },
    unavailable: { status: 503, title: 'Unavailable' },
  }),
);

/** RFC 9457. */
export const Problem = z
  .object({
    type: z.string().openapi({ example: '/problems/device_not_found' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().openapi({ description: 'What is wrong and what to do.' }),
  })
  .openapi('Problem');

export type Problem = z.infer<typeof Problem>;

export const PROBLEM_TYPE = 'application/problem+json';

/** For the description of a route: it may answer with a problem. */
export const PROBLEM_RESPONSE = {
  default: { description: 'What went wrong.', content: { [PROBLEM_TYPE]: { schema: Problem } } },
} as const;

/** The problem of anything that was thrown. Nothing of an unexpected error is shown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof SluiceError) {
    const kind = KINDS.get(error.code);
    const detail = [error.message, error.hint].filter((part) => part !== undefined).map(sentence);
    if (kind !== undefined) return { type: `/problems/${error.code}`, ...kind, detail: detail.join(' ') };
    if (error.retryable)
      return { ...problem('unavailable'), detail: 'The gateway cannot do this now. Try again later.' };
  }
  return { ...problem('internal_error'), detail: 'The gateway failed to answer. Its log says why.' };
}

export function isInternal({ status }: Problem): boolean {
  return status === 500;
}

export function problemResponse(problem: Problem, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', ...headers },
  });
}

function problem(code: 'unavailable' | 'internal_error'): Omit<Problem, 'detail'> {
  const { status, title } = KINDS.get(code) ?? { status: 500, title: code };
  return { type: `/problems/${code}`, title, status };
}

function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
