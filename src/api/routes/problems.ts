import { createRoute, z } from '@hono/zod-openapi';
import { SluiceError } from '../../core/errors.ts';
import type { Api } from '../context.ts';
import { isProblemCode, PROBLEM_KINDS, type ProblemKind } from '../problem-kinds.ts';
import { problemResponses } from '../problems.ts';

const ProblemPage = z
  .object({ code: z.string(), title: z.string(), status: z.int(), meaning: z.string(), remedy: z.string() })
  .openapi('ProblemPage', {
    example: {
      code: 'device_not_found',
      title: 'Device not found',
      status: 404,
      meaning: 'No device of that id has sent anything or has a secret.',
      remedy: 'GET /v1/devices lists those that are known.',
    },
  });

const getProblem = createRoute({
  method: 'get',
  path: '/problems/{code}',
  summary: 'What a problem means and what to do about it',
  request: { params: z.object({ code: z.string().openapi({ example: 'device_not_found' }) }) },
  responses: {
    200: {
      description: 'For people when `Accept` asks for HTML, else for programs.',
      content: { 'application/json': { schema: ProblemPage }, 'text/html': { schema: z.string() } },
    },
    ...problemResponses(['not_found']),
  },
});

/** The pages that `type` of every problem leads to. */
export function problemRoutes(app: Api): void {
  app.openapi(getProblem, (c) => {
    const { code } = c.req.valid('param');
    if (!isProblemCode(code)) throw noSuchProblem();
    const { title, status, meaning, remedy } = PROBLEM_KINDS[code];
    c.header('vary', 'accept');
    if (!prefersHtml(c.req.header('accept'))) return c.json({ code, title, status, meaning, remedy }, 200);
    c.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'");
    return c.html(pageOf(PROBLEM_KINDS[code]), 200);
  });
}

function prefersHtml(accept: string | undefined): boolean {
  return accept?.includes('text/html') === true;
}

/** Every word is the gateway's own: nothing to escape. */
function pageOf({ title, status, meaning, remedy }: ProblemKind): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>${title}</title></head>
<body><h1>${title}</h1><p>${meaning}</p><p>${remedy}</p><p><small>Status ${status} of the Sluice API</small></p></body>
</html>
`;
}

function noSuchProblem(): SluiceError {
  return new SluiceError('there is no such problem', {
    code: 'not_found',
    hint: 'GET /openapi.json lists the problems of every route.',
  });
}
