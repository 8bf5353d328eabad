import type { z } from 'zod';
import { inputSchema } from './option-tree.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

const VARIABLE = { type: 'string', pattern: '\\$\\{', description: 'Text with a variable from the environment.' };

/** `config/sluice.schema.json`: JSON Schema for editors. Wherever text, a number or a flag stands a variable may stand. */
export function editorSchema(): string {
  const { $schema, ...schema } = inputSchema();
  const root = {
    $schema,
    title: 'Configuration of Sluice',
    ...orEmpty(forEditor(schema)),
    $defs: { variable: VARIABLE },
  };
  return `${JSON.stringify(root, null, 2)}\n`;
}

function forEditor(schema: JsonSchema): JsonSchema {
  const { description, default: byDefault, 'x-type': _type, 'x-sample': _sample, ...rules } = schema;
  const about = { ...(description === undefined ? {} : { description }) };
  if (rules.type === 'object') return { ...about, ...mappingForEditor(rules) };
  const shown = byDefault === undefined ? about : { ...about, default: byDefault };
  if (rules.type === 'array') return { ...(hasMappings(rules) ? about : shown), ...listForEditor(rules) };
  if (rules.const !== undefined || isFreeText(rules)) return { ...shown, ...rules };
  const anyOf = (rules.anyOf ?? [rules]) as JsonSchema[];
  return {
    ...shown,
    anyOf: [
      ...anyOf.map((inner) => (inner.type === 'object' ? forEditor(inner) : inner)),
      { $ref: '#/$defs/variable' },
    ],
  };
}

function mappingForEditor(rules: JsonSchema): JsonSchema {
  const properties = Object.entries(rules.properties ?? {}).map(([name, inner]) => [
    name,
    orEmpty(forEditor(inner as JsonSchema)),
  ]);
  return { ...rules, properties: Object.fromEntries(properties) as Record<string, JsonSchema> };
}

function listForEditor(rules: JsonSchema): JsonSchema {
  const items = rules.items as JsonSchema;
  const inner = items.oneOf === undefined ? forEditor(items) : { oneOf: (items.oneOf as JsonSchema[]).map(forEditor) };
  return { ...rules, items: inner };
}

/** A section or list whose lines are all commented out is null. */
function orEmpty(schema: JsonSchema): Readonly<Record<string, unknown>> {
  if (schema.type !== 'object' && schema.type !== 'array') return schema;
  return { ...schema, type: [schema.type, 'null'] };
}

function hasMappings({ items }: JsonSchema): boolean {
  const inner = items as JsonSchema;
  return inner.oneOf !== undefined || inner.properties !== undefined;
}

function isFreeText({ type, pattern, enum: values }: JsonSchema): boolean {
  return type === 'string' && pattern === undefined && values === undefined;
}
