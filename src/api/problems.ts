import { z } from '@hono/zod-openapi';
import { SluiceError } from '../core/errors.ts';
import { isProblemCode, PROBLEM_KINDS, type ProblemCode } from './problem-kinds.ts';

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
 * For the description of a route: the problems of its own, beside those that every route may answer with. The document
 * tells them by status (`openapi.ts`); for the types there is one, because problems are thrown, never returned.
 */
export function problemResponses(codes: readonly ProblemCode[]): typeof PROBLEM_RESPONSE {
  return { default: { ...PROBLEM_RESPONSE.default, 'x-problems': codes } } as typeof PROBLEM_RESPONSE;
}

/** A problem as it may look. */
export function exampleOf(code: ProblemCode): Problem {
  const { status, title, meaning, remedy } = PROBLEM_KINDS[code];
  return { type: `/problems/${code}`, title, status, detail: `${meaning} ${remedy}` };
}

export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The answer to anything that was thrown. Nothing of an unexpected error is shown. */
export function problemOf(error: unknown): ProblemAnswer {
  const { code, detail } = explain(error);
  const { status, title, headers } = PROBLEM_KINDS[code];
  const problem: Problem = { type: `/problems/${code}`, title, status, detail };
  return {
    status,
    headers: { 'content-type': PROBLEM_TYPE, ...headers, ...retryAfter(error) },
    body: JSON.stringify(problem),
  };
}

/** The same as a response, with further headers. */
export function problemResponse(error: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  const { status, headers: own, body } = problemOf(error);
  return new Response(body, { status, headers: { ...own, ...headers } });
}

/** Whether it is a fault of the gateway, which the log should hold. */
export function isInternal(error: unknown): boolean {
  return explain(error).code === 'internal_error';
}

interface Explanation {
  readonly code: ProblemCode;
  readonly detail: string;
}

function explain(error: unknown): Explanation {
  if (error instanceof SluiceError) {
    const detail = [error.message, error.hint].filter((part) => part !== undefined).map(sentence);
    if (isProblemCode(error.code)) return { code: error.code, detail: detail.join(' ') };
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
