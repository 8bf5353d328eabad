import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { routesOf } from '../../../src/api/access/middleware.ts';
import { PROBLEM_CODES, PROBLEM_KINDS } from '../../../src/api/problem-kinds.ts';
import { fakeApi } from '../../support/fake-api.ts';

interface Schema {
  readonly $ref?: string;
  readonly example?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

interface Operation {
  readonly summary?: string;
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Schema }[];
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: Schema }>> }>
  >;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>>; readonly examples: object };
}

const { app, control } = fakeApi();
const DOCUMENT = (await (await app.request('/openapi.json')).json()) as Document;
const OPERATIONS = Object.entries(DOCUMENT.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
);

function resolved(schema: Schema): Schema {
  const name = schema.$ref?.replace('#/components/schemas/', '');
  return name === undefined ? schema : (DOCUMENT.components.schemas[name] ?? {});
}

/** Its own example, or one made of those of its parts. */
function exampleOf(schema: Schema): unknown {
  const { example, properties, items } = resolved(schema);
  if (example !== undefined) return example;
  if (items !== undefined) return [exampleOf(items)];
  const parts = Object.entries(properties ?? {}).map(([name, part]) => [name, exampleOf(part)] as const);
  return properties === undefined ? undefined : Object.fromEntries(parts);
}

function accepts(schema: Schema, value: unknown): boolean {
  const whole = { ...schema, $defs: DOCUMENT.components.schemas };
  const text = JSON.stringify(whole).replaceAll('#/components/schemas/', '#/$defs/');
  return z.fromJSONSchema(JSON.parse(text)).safeParse(value).success;
}

describe('GET /openapi.json', () => {
  it('is what stands in docs/openapi.json', () => {
    const committed = readFileSync(resolve(import.meta.dirname, '../../../docs/openapi.json'), 'utf8');
    expect(DOCUMENT).toEqual(JSON.parse(committed));
  });

  it('describes every route but the page and itself, and none of the control socket', async () => {
    const own = /\/(docs|openapi\.json)/;
    expect(DOCUMENT.openapi).toBe('3.1.0');
    expect(OPERATIONS.map(([route]) => route).toSorted(byText)).toEqual(
      routesOf(app)
        .filter((route) => !own.test(route))
        .toSorted(byText),
    );
    expect(await (await control.request('/openapi.json')).json()).toEqual(DOCUMENT);
  });

  it('calls every operation by a name of its own', () => {
    expect(new Set(OPERATIONS.map(([, { operationId }]) => operationId)).size).toBe(OPERATIONS.length);
  });
});

function byText(a: string, b: string): number {
  return a < b ? -1 : 1;
}

describe.each(OPERATIONS)('the description of %s', (_, { summary, parameters = [], responses }) => {
  it('says what it is for, and names every problem by its status', () => {
    expect(summary).toMatch(/^[A-Z]/);
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '403', '429', '500', '503']));
    expect(responses).not.toHaveProperty('default');
  });

  it('has an example of every answer, as it may be', () => {
    const json = Object.entries(responses).flatMap(([status, { content }]) => {
      const schema = content?.['application/json']?.schema;
      return schema === undefined ? [] : [[status, schema] as const];
    });
    for (const [status, schema] of json) {
      expect([status, accepts(schema, exampleOf(schema))], JSON.stringify(exampleOf(schema))).toEqual([status, true]);
    }
  });

  it('has an example of every parameter of its path', () => {
    const bare = parameters.filter((parameter) => parameter.in === 'path' && exampleOf(parameter.schema) === undefined);
    expect(bare.map(({ name }) => name)).toEqual([]);
  });
});

describe('/problems/{code}', () => {
  it.each(PROBLEM_CODES)('explains %s to programs and to people', async (code) => {
    const { title, status, meaning, remedy } = PROBLEM_KINDS[code];
    const forPrograms = await app.request(`/problems/${code}`);
    expect(await forPrograms.json()).toEqual({ code, title, status, meaning, remedy });
    const forPeople = await app.request(`/problems/${code}`, { headers: { accept: 'text/html,*/*;q=0.8' } });
    expect(forPeople.headers.get('content-type')).toContain('text/html');
    const page = await forPeople.text();
    for (const text of [title, meaning, remedy]) expect(page).toContain(text);
    expect(`${title}${meaning}${remedy}`).not.toMatch(/[<>&]/);
  });

  it('is not found for any other code', async () => {
    for (const code of ['nothing', 'constructor', '<script>']) {
      const response = await app.request(`/problems/${encodeURIComponent(code)}`, { headers: { accept: 'text/html' } });
      expect([response.status, response.headers.get('content-type')]).toEqual([404, 'application/problem+json']);
    }
  });
});
