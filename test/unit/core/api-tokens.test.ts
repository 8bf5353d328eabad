import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_TOKENS, parseTokens } from '../../../src/core/api-tokens.ts';

const HASH = 'ab'.repeat(32);
const OTHER = 'cd'.repeat(32);

describe('a tokens file', () => {
  it('holds one token a line, with comments and empty lines between', () => {
    const { tokens, problems } = parseTokens(
      `# people\n\ndashboard:read:${HASH}\r\n  line.controller : read , command : ${OTHER.toUpperCase()}\n`,
    );
    expect(problems).toEqual([]);
    expect(tokens.map(({ name, scopes, hash }) => [name, [...scopes], hash.toString('hex')])).toEqual([
      ['dashboard', ['read'], HASH],
      ['line.controller', ['read', 'command'], OTHER],
    ]);
  });

  it.each([
    ['dashboard', 'must be name:scopes:hash'],
    [`dashboard:read:${HASH}:x`, 'must be name:scopes:hash'],
    [`:read:${HASH}`, 'the name must be 1 to 64 characters of A-Z a-z 0-9 . _ -'],
    [`a b:read:${HASH}`, 'the name must be 1 to 64 characters of A-Z a-z 0-9 . _ -'],
    [`a:raed:${HASH}`, '"raed" is no scope; there are read, write, command, admin'],
    [`a:\u001b:${HASH}`, '"\\u{1b}" is no scope; there are read, write, command, admin'],
    [`a::${HASH}`, '"" is no scope; there are read, write, command, admin'],
    ['a:read:secret', 'the hash must be the 64 hexadecimal digits of a SHA-256'],
    [`x:admin:${HASH}`, '"x" is the name of another token'],
    [`y:admin:${OTHER}`, 'is the hash of another token'],
  ])('is told what is wrong with %j', (line, message) => {
    expect(parseTokens(`x:read:${OTHER}\n${line}\n`).problems).toEqual([{ line: 2, message }]);
  });

  it('is bounded', () => {
    const lines = Array.from(
      { length: MAX_TOKENS + 1 },
      (_, index) => `t${index}:read:${index.toString(16).padStart(64, '0')}`,
    );
    const { tokens, problems } = parseTokens(lines.join('\n'));
    expect([tokens.length, problems]).toEqual([
      MAX_TOKENS,
      [{ line: MAX_TOKENS + 1, message: 'more than 1000 tokens' }],
    ]);
  });

  it('never breaks the check, and never shows a hash', () => {
    const line = fc.array(fc.constantFrom('a', 'read', ':', ',', ' ', '\n', '#', HASH, OTHER, 'ä'), { maxLength: 20 });
    fc.assert(
      fc.property(line, (parts) => {
        const { problems } = parseTokens(parts.join(''));
        return problems.every(({ message }) => !message.includes(HASH.slice(0, 8)) || message.includes('is no scope'));
      }),
    );
  });
});
