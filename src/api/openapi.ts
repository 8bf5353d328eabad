import { VERSION } from '../platform/version.ts';
import { ROUTE_SCOPES } from './access/scopes.ts';
import type { Api } from './context.ts';
import { PROBLEM_CODES, PROBLEM_KINDS, type ProblemCode } from './problem-kinds.ts';
import { exampleOf, PROBLEM_TYPE } from './problems.ts';

type Document = ReturnType<Api['getOpenAPI31Document']>;
type PathItem = NonNullable<Document['paths']>[string];
type Operation = NonNullable<PathItem['get']>;
type Responses = NonNullable<Operation['responses']>;

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;
type Method = (typeof METHODS)[number];

const DESCRIPTION = `What the gateway knows and does. Lists page by \`cursor\` and \`limit\`; times are RFC 3339 UTC. Every error is
\`application/problem+json\` (RFC 9457), and its \`type\` is a page that says what to do.`;

/** The whole description: what the routes say of themselves, who may call them, and every problem they answer with. */
export function describeApi(app: Api): Document {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Sluice', version: VERSION, description: DESCRIPTION.replaceAll('\n', ' ') },
  });
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      if (item[method] !== undefined) item[method] = completed(item[method], method, path);
    }
  }
  const scheme = {
    type: 'http',
    scheme: 'bearer',
    description: 'From the network; none is needed on this machine.',
  } as const;
  const examples = PROBLEM_CODES.map((code) => [code, { value: exampleOf(code) }] as const);
  document.components = {
    ...document.components,
    securitySchemes: { token: scheme },
    examples: Object.fromEntries(examples),
  };
  return document;
}

function completed(operation: Operation, method: Method, path: string): Operation {
  const scope = ROUTE_SCOPES[`${method.toUpperCase()} ${path}`] ?? 'admin';
  const { default: any, ...responses }: Responses = operation.responses ?? {};
  const own = (any as { readonly 'x-problems'?: readonly ProblemCode[] } | undefined)?.['x-problems'] ?? [];
  const takesInput = operation.parameters !== undefined || operation.requestBody !== undefined;
  const codes: readonly ProblemCode[] = [
    ...own,
    ...(takesInput ? (['bad_request'] as const) : []),
    'wrong_token',
    ...(scope === 'open' ? [] : (['token_required', 'scope_missing'] as const)),
    'host_not_allowed',
    ...(method === 'get' ? [] : (['origin_not_allowed', 'body_too_large'] as const)),
    'locked_out',
    'too_many_requests',
    'internal_error',
    'unavailable',
  ];
  return {
    operationId: `${method}${path.replace(/\W+/g, '_').replace(/_$/, '')}`,
    tags: [path.split('/').find((part) => part !== '' && part !== 'v1') ?? ''],
    ...operation,
    security: scope === 'open' ? [{}, { token: [] }] : [{ token: [scope] }, {}],
    responses: withProblems(responses, codes),
  };
}

function withProblems(responses: Responses, codes: readonly ProblemCode[]): Responses {
  const all: Responses = { ...responses };
  const byStatus = Map.groupBy(new Set(codes), (code) => PROBLEM_KINDS[code].status);
  for (const [status, those] of byStatus) {
    const { description, content, ...rest } = (responses[status] ?? {}) as Responses[string];
    all[status] = {
      ...rest,
      ...(status === 429 || status === 503 ? { headers: RETRY_AFTER } : {}),
      description: [description, those.map((code) => PROBLEM_KINDS[code].title).join('; ')]
        .filter((text) => text !== undefined)
        .join(' Or: '),
      content: {
        ...content,
        [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' }, examples: refs(those) },
      },
    };
  }
  return all;
}

const RETRY_AFTER = { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer', minimum: 1 } } } as const;

function refs(codes: readonly ProblemCode[]) {
  return Object.fromEntries(codes.map((code) => [code, { $ref: `#/components/examples/${code}` }]));
}
