import { describe, expect, it } from 'vitest';
import { capture, parseTopicPattern } from '../../../src/core/topic-pattern.ts';

const parsed = (text: string) => {
  const pattern = parseTopicPattern(text);
  if (typeof pattern === 'string') throw new Error(pattern);
  return pattern;
};

describe('a topic pattern', () => {
  it('is a filter whose wildcards may have names', () => {
    expect(parsed('a/+x/+/b/#rest').filter).toBe('a/+/+/b/#');
    expect(parsed('#').filter).toBe('#');
    expect(parsed('/+x/').filter).toBe('/+/');
  });

  it('captures levels, and the rest with dots', () => {
    expect([...capture(parsed('a/+x/#rest'), 'a/1/2/3')]).toEqual([
      ['x', '1'],
      ['rest', '2.3'],
    ]);
    expect([...capture(parsed('a/#rest'), 'a')]).toEqual([['rest', '']]);
    expect([...capture(parsed('+/+y'), 'a/b')]).toEqual([['y', 'b']]);
  });

  it.each([
    ['', /1 to 1,000 characters/],
    ['a\0', /1 to 1,000 characters/],
    ['a/#x/b', /# before its end/],
    ['a/b+', /within a level/],
    ['a/+x-y', /within a level/],
    ['a/+{x}', /within a level/],
    ['+x/+x', /the name x twice/],
    ['+x/#x', /the name x twice/],
  ])('is not %j', (text, problem) => {
    expect(parseTopicPattern(text)).toMatch(problem);
  });
});
