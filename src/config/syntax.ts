import type { Document, YAMLError } from 'yaml';
import { printable } from '../core/printable.ts';

/** Where the library speaks to programmers. */
const WORDS: Readonly<Record<string, string>> = {
  MULTIPLE_DOCS: 'one file holds one document, without ---',
  NON_STRING_KEY: 'names of options must be text',
  RESOURCE_EXHAUSTION: 'nested too deeply',
};

export interface SyntaxProblem {
  readonly offset: number;
  readonly message: string;
}

/**
 * What keeps a file from being YAML at all. Keys that stand there twice are not among it.
 * After the first mistake a parser finds tokens everywhere that it did not expect: those are left out.
 */
export function syntaxProblems(document: Document.Parsed, source: string): readonly SyntaxProblem[] {
  const found = [...document.errors, ...document.warnings].filter(({ code }) => code !== 'DUPLICATE_KEY');
  const exhausted = found.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
  const told = exhausted ? [exhausted] : found.filter(({ code }, index) => index === 0 || code !== 'UNEXPECTED_TOKEN');
  const places = told.map(({ pos }) => pos[0]);
  return told
    .filter((_, index) => places.indexOf(places[index] ?? 0) === index)
    .map((error) => ({ offset: error.pos[0], message: `YAML: ${words(error, source)}` }));
}

function words(error: YAMLError, source: string): string {
  const offset = error.pos[0];
  if (source.slice(offset - 1, offset + 1) === '${') return 'within { } and [ ] a variable must stand in quotes';
  return WORDS[error.code] ?? printable(error.message, 200);
}
