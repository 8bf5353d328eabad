import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FilterTree } from '../../../../src/core/filter-tree.ts';
import {
  coversFilter,
  isValidFilter,
  isValidTopic,
  levelCount,
  matchesFilter,
} from '../../../../src/sources/mqtt/topics.ts';

describe('topic names and filters', () => {
  it.each([
    ['a', true],
    ['/', true],
    ['a//b', true],
    ['a b/ü', true],
    ['', false],
    ['a/+', false],
    ['#', false],
    ['a#b', false],
    ['a\0b', false],
  ])('the topic %j is valid: %s', (topic, valid) => {
    expect(isValidTopic(topic)).toBe(valid);
  });

  it.each([
    ['a', true],
    ['#', true],
    ['+', true],
    ['+/+/#', true],
    ['/+', true],
    ['a/+/b', true],
    ['', false],
    ['a#', false],
    ['a/#/b', false],
    ['a+', false],
    ['a/+b', false],
    ['a/b+', false],
    ['a\0', false],
  ])('the filter %j is valid: %s', (filter, valid) => {
    expect(isValidFilter(filter)).toBe(valid);
  });

  it.each([
    ['a/b', 'a/b', true],
    ['a/+', 'a/b', true],
    ['a/+', 'a/', true],
    ['a/+', 'a', false],
    ['a/+', 'a/b/c', false],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['+/b', '/b', true],
    ['/+', '/b', true],
    ['+', '/b', false],
    ['#', 'a/b', true],
    ['#', '$SYS/a', false],
    ['+/a', '$SYS/a', false],
    ['$SYS/+', '$SYS/a', true],
    ['a/#', 'ab', false],
  ])('%s matches %s: %s', (filter, topic, matches) => {
    expect(matchesFilter(filter, topic)).toBe(matches);
  });

  it('has one level more than separators', () => {
    expect(levelCount('a')).toBe(1);
    expect(levelCount('/a//')).toBe(4);
  });
});

const level = fc.constantFrom('', 'a', 'b', '$c');
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 3 }), fc.constantFrom('#', '+', 'a', ''))
  .map(([levels, last]) => [...levels, last].join('/'));

describe('a filter covers another', () => {
  it('only when it matches all that the other matches', () => {
    fc.assert(
      fc.property(filter, filter, topic, (granted, wanted, name) => {
        if (coversFilter(granted, wanted) && matchesFilter(wanted, name))
          expect(matchesFilter(granted, name)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('which is every one that it equals', () => {
    fc.assert(
      fc.property(filter, (one) => {
        expect(coversFilter(one, one)).toBe(true);
      }),
    );
  });
});

describe('the filter tree', () => {
  it('finds what a comparison with every filter finds, after any additions and removals', () => {
    const entry = fc.record({ filter, value: fc.nat(3), removed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 20 }), topic, (entries, name) => {
        const tree = new FilterTree<string>();
        const left = new Map<string, string>();
        for (const { filter: added, value } of entries) {
          tree.add(added, `${added}:${value}`);
          left.set(`${added}:${value}`, added);
        }
        for (const { filter: gone, value, removed } of entries) {
          if (!removed) continue;
          tree.remove(gone, `${gone}:${value}`);
          left.delete(`${gone}:${value}`);
        }
        const expected = [...left].filter(([, added]) => matchesFilter(added, name)).map(([value]) => value);
        expect(new Set(tree.match(name))).toEqual(new Set(expected));
      }),
      { numRuns: 500 },
    );
  });
});
