import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { routed, routesOf } from '../../../support/routed.ts';

interface Sample {
  readonly topic: string;
  readonly payload: string;
  /** `local`, `{ refused }`, or what is known of each record. */
  readonly becomes: unknown;
}

const READY = resolve(import.meta.dirname, '../../../../config/routes');
const MESSAGES = resolve(import.meta.dirname, 'messages');
const firmware = readdirSync(READY).map((file) => file.replace('.yaml', ''));

const samplesOf = (name: string) => JSON.parse(readFileSync(join(MESSAGES, `${name}.json`), 'utf8')) as Sample[];

describe.each(firmware)('the ready routes of %s', (name) => {
  const routes = routesOf(`{ zone: Europe/Berlin, includeRoutes: [ ${name} ] }`);

  it.each(samplesOf(name).map((sample) => [sample.topic, sample] as const))(
    'make of %s what they should',
    (_, sample) => {
      const outcome = routed(routes, sample.topic, sample.payload);
      if (Array.isArray(sample.becomes)) expect(outcome).toMatchObject(sample.becomes);
      else expect(outcome).toEqual(sample.becomes);
    },
  );
});

describe('all ready routes together', () => {
  it('are good', () => {
    expect(routesOf(`{ includeRoutes: [ ${firmware.join(', ')} ] }`).length).toBeGreaterThan(firmware.length);
  });
});
