import { z } from 'zod';
import { configSchema } from '../../src/config/schema.ts';

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** One option, or a section of options, as the schema describes it. */
export interface OptionNode {
  readonly name: string;
  readonly description: string;
  /** Type, unit and range, ready to print; empty for a section. */
  readonly type: string;
  /** As a person writes it; undefined when there is none. */
  readonly byDefault: unknown;
  /** What the example file shows: the default, or a value that fits when there is none. */
  readonly sample: unknown;
  /** Of a list of mappings: entries that the example file shows, when not each option with its default. */
  readonly entries: readonly unknown[];
  readonly required: boolean;
  /** `list`: a list of mappings; `choice`: a plain value or a mapping. */
  readonly shape: 'plain' | 'section' | 'list' | 'choice';
  readonly options: readonly OptionNode[];
  /** Of a list whose entries are of several kinds: one node per kind. */
  readonly kinds: readonly OptionNode[];
}

/** What a file may say, as JSON Schema, with `x-type` and `x-sample` beside the standard words. */
export function inputSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, { io: 'input' });
}

/** The sections of the configuration, in the order of the schema. */
export function optionTree(): readonly OptionNode[] {
  return optionsOf(inputSchema());
}

function optionsOf(schema: JsonSchema | undefined): readonly OptionNode[] {
  const required = schema?.required ?? [];
  return Object.entries(schema?.properties ?? {}).map(([name, inner]) =>
    nodeOf(name, inner as JsonSchema, required.includes(name)),
  );
}

function nodeOf(name: string, schema: JsonSchema, required: boolean): OptionNode {
  const items = schema.items as JsonSchema | undefined;
  const mapping = [schema, items, ...((schema.anyOf ?? []) as JsonSchema[])].find((inner) => inner?.properties);
  const kinds = ((items?.oneOf ?? []) as JsonSchema[]).map((kind) => nodeOf(kind.title ?? '', kind, false));
  return {
    name,
    description: schema.description ?? '',
    type: String(schema['x-type'] ?? ''),
    byDefault: schema.default,
    sample: schema['x-sample'] ?? schema.default ?? schema.const,
    entries: (mapping === items && (schema['x-sample'] as readonly unknown[] | undefined)) || [],
    required,
    shape: shapeOf(schema, items, mapping),
    options: optionsOf(mapping),
    kinds,
  };
}

function shapeOf(
  schema: JsonSchema,
  items: JsonSchema | undefined,
  mapping: JsonSchema | undefined,
): OptionNode['shape'] {
  if (items?.oneOf !== undefined) return 'list';
  if (mapping === undefined) return 'plain';
  if (mapping === schema) return 'section';
  return mapping === items ? 'list' : 'choice';
}
