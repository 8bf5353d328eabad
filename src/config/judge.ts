import type { z } from 'zod';
import { printable } from '../core/printable.ts';
import type { ConfigDocument, Path } from './document.ts';
import { nearest } from './nearest.ts';
import type { Problem } from './problem.ts';
import { wording } from './wording.ts';

type Issue = z.core.$ZodIssue;

export type Judgement<T> =
  | { readonly options: T; readonly problems: readonly [] }
  | { readonly options: undefined; readonly problems: readonly Problem[] };

/** Checks what a file says against a schema, and names everything that is wrong. */
export function judge<T>(document: ConfigDocument, schema: z.ZodType<T>): Judgement<T> {
  if (document.value === undefined) return { options: undefined, problems: [] };
  const result = schema.safeParse(document.value, { error: wording });
  if (result.success) return { options: result.data, problems: [] };
  return {
    options: undefined,
    problems: result.error.issues.flatMap((issue) => describe(issue, issue.path, document)),
  };
}

function describe(issue: Issue, path: Path, document: ConfigDocument): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message.split(' ');
    return issue.keys.map((key) => document.problemAtKey([...path, key], unknownOption(key, known)));
  }
  const inside = issue.code === 'invalid_union' ? fittingAlternative(issue) : undefined;
  if (inside !== undefined) return inside.flatMap((inner) => describe(inner, [...path, ...inner.path], document));
  return [document.problemAt(path, issue.message + found(issue, document.writtenAt(path)))];
}

const NOT_EVEN: ReadonlySet<string> = new Set(['invalid_type', 'invalid_value']);

/** What is wrong inside the alternative that has the right type. */
function fittingAlternative({ errors }: z.core.$ZodIssueInvalidUnion): readonly Issue[] | undefined {
  return errors.find((issues) => !issues.some(({ code, path }) => NOT_EVEN.has(code) && path.length === 0));
}

function unknownOption(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  return meant === undefined ? `unknown option; known here: ${known.join(', ')}` : `unknown option, probably ${meant}`;
}

/** The words of the file, never what a variable put there: that may be a secret. */
function found(issue: Issue, written: string | undefined): string {
  if (written === undefined || !issue.message.startsWith('must be')) return '';
  const meant = nearest(written, choicesOf(issue));
  return `, found ${printable(written, 60) || 'nothing'}${meant === undefined ? '' : `, probably ${meant}`}`;
}

function choicesOf(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  return issue.code === 'invalid_union' && 'options' in issue ? (issue.options ?? []).map(String) : [];
}
