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
  it('finds what a comparison with every filter finds, however additions and removals follow each other', () => {
    const step = fc.record({ filter, value: fc.nat(2), isAdded: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), topic, (steps, name) => {
        const tree = new FilterTree<string>();
        const left = new Map<string, string>();
        for (const { filter: of, value, isAdded } of steps) {
          const held = `${of}:${value}`;
          if (isAdded) tree.add(of, held);
          else tree.remove(of, held);
          if (isAdded) left.set(held, of);
          else left.delete(held);
          const expected = [...left].filter(([, added]) => matchesFilter(added, name)).map(([found]) => found);
          expect(new Set(tree.match(name))).toEqual(new Set(expected));
        }
        for (const [held, of] of left) tree.remove(of, held);
        expect(tree.match(name)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('finds a value under a filter that was there before, and in a branch that was cut', () => {
    const tree = new FilterTree<string>();
    tree.add('a/b/c', 'first');
    tree.remove('a/b/c', 'first');
    tree.add('a/b/c', 'second');
    tree.add('a/b', 'inner');
    tree.remove('a/b/c', 'second');
    tree.remove('a/b/c', 'second');
    tree.add('a/b/d', 'beside');
    expect([tree.match('a/b/c'), tree.match('a/b'), tree.match('a/b/d')]).toEqual([[], ['inner'], ['beside']]);
  });

  it('keeps nothing of filters that are gone, nor the rest of a long one whose first level is still in use', () => {
    const before = process.memoryUsage().heapUsed;
    const tree = new FilterTree<string>();
    for (let at = 0; at < 100_000; at += 1) {
      tree.add(`l${at}/a/b/c/d/e/f/g/h/i/j`, 'one');
      tree.remove(`l${at}/a/b/c/d/e/f/g/h/i/j`, 'one');
    }
    for (let at = 0; at < 20_000; at += 1) {
      const first = `a-level-of-its-own-${at}`;
      const long = `${first}/${'x'.repeat(20_000)}`;
      tree.add(long, 'one');
      tree.add(first, 'one');
      tree.remove(long, 'one');
    }
    // More than 200 MB of nodes, or 400 MB of text, would be kept.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(150e6);
  });
});
