import { z } from '@hono/zod-openapi';
import { SluiceError } from '../core/errors.ts';

interface Kind {
  readonly status: number;
  readonly title: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Every problem the API can answer with, by code. */
const KINDS = new Map<string, Kind>(
  Object.entries({
    bad_request: { status: 400, title: 'Bad request' },
    bad_limit: { status: 400, title: 'Bad limit' },
    bad_cursor: { status: 400, title: 'Bad cursor' },
    bad_idempotency_key: { status: 400, title: 'Bad idempotency key' },
    token_required: { status: 401, title: 'Token required', headers: { 'www-authenticate': 'Bearer' } },
    wrong_token: {
      status: 401,
      title: 'Wrong token',
      headers: { 'www-authenticate': 'Bearer error="invalid_token"' },
    },
    scope_missing: {
      status: 403,
      title: 'Scope missing',
      headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' },
    },
    host_not_allowed: { status: 403, title: 'Host not allowed' },
    origin_not_allowed: { status: 403, title: 'Origin not allowed' },
    not_found: { status: 404, title: 'Not found' },
    device_not_found: { status: 404, title: 'Device not found' },
    uplink_not_found: { status: 404, title: 'Uplink not found' },
    method_not_allowed: { status: 405, title: 'Method not allowed' },
    device_exists: { status: 409, title: 'Device exists' },
    too_many_devices: { status: 409, title: 'Too many devices' },
    body_too_large: { status: 413, title: 'Body too large' },
    unsupported_media_type: { status: 415, title: 'Unsupported media type' },
    bad_device_id: { status: 422, title: 'Bad device id' },
    bad_event_type: { status: 422, title: 'Bad event type' },
    payload_refused: { status: 422, title: 'Payload refused' },
    idempotency_key_reused: { status: 422, title: 'Idempotency key reused' },
    weak_secret: { status: 422, title: 'Weak secret' },
    locked_out: { status: 429, title: 'Locked out' },
    too_many_requests: { status: 429, title: 'Too many requests' },
    internal_error: { status: 500, title: 'Internal error' },
    buffer_full: { status: 503, title: 'Buffer full' },
    too_busy: { status: 503, title: 'Too busy' },
    store_timeout: { status: 503, title: 'Not stored in time' },
    unavailable: { status: 503, title: 'Unavailable' },
  }),
);

const UNKNOWN: Kind = { status: 500, title: 'Internal error' };

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

/**
 * For the description of a route: the problems of its own, by status, beside those that every route may answer with.
 * For the types only the latter are there, because problems are thrown, never returned.
 */
export function problemResponses(codes: readonly string[]): typeof PROBLEM_RESPONSE {
  const byStatus = Map.groupBy(codes, (code) => KINDS.get(code)?.status ?? 500);
  const described = [...byStatus].map(([status, those]) => [status, problemsDescribed(those)] as const);
  return { ...PROBLEM_RESPONSE, ...Object.fromEntries(described) };
}

function problemsDescribed(codes: readonly string[]) {
  const examples = codes.map((code) => {
    const { status = 500, title = code } = KINDS.get(code) ?? {};
    return [code, { value: { type: `/problems/${code}`, title, status, detail: title } }] as const;
  });
  const description = codes.map((code) => `\`${code}\``).join(', ');
  return { description, content: { [PROBLEM_TYPE]: { schema: Problem, examples: Object.fromEntries(examples) } } };
}

/** The answer to anything that was thrown. Nothing of an unexpected error is shown. */
export function problemResponse(error: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  const { code, detail } = explain(error);
  const { status, title, headers: own } = KINDS.get(code) ?? UNKNOWN;
  const problem: Problem = { type: `/problems/${code}`, title, status, detail };
  return new Response(JSON.stringify(problem), {
    status,
    headers: { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', ...own, ...retryAfter(error), ...headers },
  });
}

/** Whether it is a fault of the gateway, which the log should hold. */
export function isInternal(error: unknown): boolean {
  return explain(error).code === 'internal_error';
}

interface Explanation {
  readonly code: string;
  readonly detail: string;
}

function explain(error: unknown): Explanation {
  if (error instanceof SluiceError) {
    const detail = [error.message, error.hint].filter((part) => part !== undefined).map(sentence);
    if (KINDS.has(error.code)) return { code: error.code, detail: detail.join(' ') };
    if (error.retryable) {
      return { code: 'unavailable', detail: 'The gateway cannot do this now. Try again later.' };
    }
  }
  return { code: 'internal_error', detail: 'The gateway failed to answer. Its log says why.' };
}

/** RFC 9110, 10.2.3: whole seconds. */
function retryAfter(error: unknown): Readonly<Record<string, string>> {
  if (!(error instanceof SluiceError) || error.retryAfterMs === undefined) return {};
  return { 'retry-after': String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))) };
}

function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
