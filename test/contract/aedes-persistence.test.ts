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

/** Wills stay with the connection here, and there is no other broker that could publish them. */
const WILLS = [
  'store, fetch and delete will message',
  'stream all will messages',
  'stream all will message for unknown brokers',
  'delete wills from dead brokers',
];
/** The gateway speaks 3.1.1. */
const MQTT_5 = ['store and look up a subscription with an MQTT 5.0 subscription identifier'];

const requireAsAedes = createRequire(createRequire(import.meta.url).resolve('aedes'));
const suite = requireAsAedes('aedes-persistence/abstract.js') as Suite;
const tests = new Map<string, (context: SuiteContext) => Promise<void>>();
suite({ testAsync: true, persistence: conformingPersistence, test: (name, body) => tests.set(name, body) });

describe('the persistence behind aedes, by the suite of aedes-persistence', () => {
  it('has to do with all of it but wills and MQTT 5', () => {
    expect(tests.size).toBe(50);
    for (const name of [...WILLS, ...MQTT_5]) expect(tests.delete(name)).toBe(true);
  });

  const ours = [...tests].filter(([name]) => ![...WILLS, ...MQTT_5].includes(name));
  it.each(ours)('%s', async (_name, body) => {
    const context = new SuiteContext();
    await body(context);
    context.end();
  });
});
