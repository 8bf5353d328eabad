import { Buffer } from 'node:buffer';
import { printable } from './printable.ts';

/**
 * What a token may do: look, change, command devices, administer. None includes another.
 */
export const SCOPES = ['read', 'write', 'command', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** A bearer token of the API, as far as it is known: not itself. */
export interface ApiToken {
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** SHA-256 of the token's characters. */
  readonly hash: Buffer;
}

export interface TokenProblem {
  /** Counts from 1. */
  readonly line: number;
  readonly message: string;
}

export interface ParsedTokens {
  readonly tokens: readonly ApiToken[];
  readonly problems: readonly TokenProblem[];
}

export const MAX_TOKENS = 1_000;
const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const HASH = /^[0-9a-f]{64}$/i;

/**
 * Reads a tokens file: one token a line, `name:scopes:hash`, scopes with commas between, the hash in hexadecimal.
 * Empty lines and those that begin with `#` say nothing. Names everything that is wrong.
 */
export function parseTokens(text: string): ParsedTokens {
  const tokens = new Map<string, ApiToken>();
  const problems: TokenProblem[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const written = line.trim();
    if (written === '' || written.startsWith('#')) continue;
    const token = parseLine(written);
    const message = typeof token === 'string' ? token : conflict(token, tokens);
    if (message !== undefined) problems.push({ line: index + 1, message });
    else if (typeof token !== 'string') tokens.set(token.name, token);
  }
  return { tokens: [...tokens.values()], problems };
}

/** The token, or what is wrong with the line. The hash is never part of the message. */
function parseLine(line: string): ApiToken | string {
  const [name = '', scopeList = '', hash = '', ...rest] = line.split(':').map((part) => part.trim());
  if (rest.length > 0 || hash === '') return 'must be name:scopes:hash';
  if (!NAME.test(name)) return 'the name must be 1 to 64 characters of A-Z a-z 0-9 . _ -';
  const scopes = scopeList.split(',').map((scope) => scope.trim());
  const unknown = scopes.find((scope) => !isScope(scope));
  if (unknown !== undefined) return `"${printable(unknown, 40)}" is no scope; there are ${SCOPES.join(', ')}`;
  if (!HASH.test(hash)) return 'the hash must be the 64 hexadecimal digits of a SHA-256';
  return { name, scopes: new Set(scopes.filter(isScope)), hash: Buffer.from(hash, 'hex') };
}

function conflict({ name, hash }: ApiToken, tokens: ReadonlyMap<string, ApiToken>): string | undefined {
  if (tokens.has(name)) return `"${name}" is the name of another token`;
  if ([...tokens.values()].some((other) => other.hash.equals(hash))) return 'is the hash of another token';
  return tokens.size < MAX_TOKENS ? undefined : `more than ${MAX_TOKENS} tokens`;
}

function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}
