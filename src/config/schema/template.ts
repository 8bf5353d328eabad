import { z } from 'zod';
import { printable } from '../../core/printable.ts';
import { nearest } from '../nearest.ts';

export interface TemplateRule {
  readonly known: readonly string[];
  /** What may stand between the placeholders. */
  readonly literal: RegExp;
  /** Completes "must be …". */
  readonly rule: string;
}

const PLACEHOLDER = /\{([^{}]*)\}/g;

/** Text with `{placeholders}`, all of them known. */
export function template({ known, literal, rule }: TemplateRule) {
  return z.string({ error: `must be text: ${rule}` }).superRefine((text, context) => {
    for (const [, name = ''] of text.matchAll(PLACEHOLDER)) {
      if (!known.includes(name)) context.addIssue({ code: 'custom', message: unknownPlaceholder(name, known) });
    }
    if (!literal.test(text.replace(PLACEHOLDER, 'x'))) context.addIssue({ code: 'custom', message: `must be ${rule}` });
  });
}

function unknownPlaceholder(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  const offer = meant === undefined ? '' : `, probably {${meant}}`;
  const all = known.map((placeholder) => `{${placeholder}}`).join(', ');
  return `has an unknown placeholder {${printable(name, 40)}}${offer} (known here: ${all})`;
}
