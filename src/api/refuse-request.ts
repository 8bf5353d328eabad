import type { z } from '@hono/zod-openapi';
import { SluiceError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { MAX_LIMIT } from './page.ts';

type Issue = z.core.$ZodIssue;

/** @throws SluiceError `bad_limit`, `bad_request`, for a request that is not what the route asks for. */
export function refuseRequest({ issues: [issue] }: z.ZodError): never {
  const name = issue?.path.join('.') ?? '';
  if (name === 'limit') {
    throw new SluiceError('"limit" is not a number the list can be cut at', {
      code: 'bad_limit',
      hint: `Use a whole number from 1 to ${MAX_LIMIT}.`,
    });
  }
  const place = name === '' ? 'the body' : `"${name}"`;
  const { what, hint } = fault(issue);
  throw new SluiceError(`${place} ${what}`, { code: 'bad_request', hint });
}

/** The library's own words are for programmers. The form of a text is told by its schema. */
function fault(issue: Issue | undefined): { readonly what: string; readonly hint: string } {
  switch (issue?.code) {
    case 'invalid_type':
      if (issue.expected === 'number' || issue.expected === 'int') {
        return { what: 'is not a whole number', hint: 'Use digits alone.' };
      }
      return { what: `is missing or is not JSON of the type ${issue.expected}`, hint: SEE_DOCS };
    case 'too_small':
      return { what: 'is too small', hint: `Use ${issue.minimum} or more.` };
    case 'too_big':
      return { what: 'is too large', hint: `Use ${issue.maximum} or less.` };
    case 'invalid_value':
      return { what: 'is none of the words it may be', hint: `Use one of ${issue.values.join(', ')}.` };
    case 'unrecognized_keys':
      return { what: `holds "${printable(issue.keys[0] ?? '')}", which the route does not know`, hint: SEE_DOCS };
    case 'invalid_format':
      return { what: 'does not have the form it must have', hint: issue.message };
    default:
      return { what: 'is not what the route takes', hint: SEE_DOCS };
  }
}

const SEE_DOCS = '/docs shows what the route takes.';
