import { createRequire } from 'node:module';
import type { RE2JS } from 're2js';

const require = createRequire(import.meta.url);

/** A regular expression with named groups that takes time in proportion to the text, whatever the two are. */
export class TextPattern {
  /** Of the groups, in the order of the expression. */
  readonly names: readonly string[];
  readonly #pattern: RE2JS;

  /** `expression`: in the syntax of RE2, which has no look-around and no back-references. @throws Error that says what is wrong with it */
  constructor(expression: string) {
    // Loaded only where there is such an expression: it costs 4 MB.
    const { RE2JS: engine } = require('re2js') as { RE2JS: typeof RE2JS };
    this.#pattern = engine.compile(expression);
    const groups = Object.entries(this.#pattern.namedGroups());
    this.names = groups.toSorted(([, a], [, b]) => a - b).map(([name]) => name);
  }

  /** The groups of the first place that matches, null for one that took no part; undefined when there is no such place. */
  find(text: string): ReadonlyMap<string, string | null> | undefined {
    const matcher = this.#pattern.matcher(text);
    if (!matcher.find()) return undefined;
    return new Map(this.names.map((name) => [name, matcher.group(name)]));
  }
}
