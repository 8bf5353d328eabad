import { describe, expect, it } from 'vitest';
import { FirstMatch } from '../../../src/core/first-match.ts';

describe('the first match', () => {
  it('is of all that fit the one that was added first, however exact the others are', () => {
    const matches = new FirstMatch<string>();
    matches.add('a/+/c', 'first');
    matches.add('a/b/c', 'second');
    matches.add('#', 'rest');
    expect(matches.find('a/b/c')).toBe('first');
    expect(matches.find('a/b')).toBe('rest');
    expect(new FirstMatch<string>().find('a')).toBeUndefined();
  });
});
