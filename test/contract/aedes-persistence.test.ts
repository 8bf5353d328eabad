/** The suite that the package aedes-persistence ships for persistences, on ours, over real SQLite files. */

import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { conformingPersistence } from '../support/conforming-persistence.ts';
import { SuiteContext } from '../support/suite-context.ts';

type Suite = (options: {
  readonly test: (name: string, body: (context: SuiteContext) => Promise<void>) => void;
  readonly persistence: () => Promise<object>;
  readonly testAsync: boolean;
}) => void;

const requireAsAedes = createRequire(createRequire(import.meta.url).resolve('aedes'));
const suite = requireAsAedes('aedes-persistence/abstract.js') as Suite;
const tests = new Map<string, (context: SuiteContext) => Promise<void>>();
suite({ testAsync: true, persistence: conformingPersistence, test: (name, body) => tests.set(name, body) });

describe('the persistence behind aedes, by the suite of aedes-persistence', () => {
  it('has fifty tests', () => {
    expect(tests.size).toBe(50);
  });

  it.each([...tests])('%s', async (_name, body) => {
    const context = new SuiteContext();
    await body(context);
    context.end();
  });
});
