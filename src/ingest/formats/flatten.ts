import type { MetricValue } from '../../core/views.ts';
import type { Refusal } from '../refusal.ts';
import type { ReadingBuilder } from './reading.ts';

/** Levels of nesting below the object. */
const MAX_DEPTH = 16;

/**
 * Adds every scalar below `value`, named by the way to it: members and indexes with dots between, `AM2301.Temperature`,
 * `Power.0`. Empty objects and arrays say nothing. Returns the reason to refuse the message, if there is one.
 */
export function flatten(value: object, builder: ReadingBuilder, path = '', depth = 0): Refusal | undefined {
  if (depth > MAX_DEPTH) return 'too_deep';
  for (const [name, member] of Object.entries(value) as [string, unknown][]) {
    const full = path === '' ? name : `${path}.${name}`;
    const refused = isNested(member)
      ? flatten(member, builder, full, depth + 1)
      : builder.add(full, member as MetricValue);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Whether an object has no members but scalars. */
export function isFlat(value: object): boolean {
  return !Object.values(value).some(isNested);
}
