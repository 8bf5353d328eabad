import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDeviceId } from '../../../../src/core/device-id.ts';
import type { RouteOptions } from '../../../../src/core/route.ts';
import { RouteTable } from '../../../../src/ingest/routes/route-table.ts';
import { matchesFilter } from '../../../../src/sources/mqtt/topics.ts';
import { routed, routesOf } from '../../../support/routed.ts';

const level = fc.constantFrom('', 'a', 'b', '$c');
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { maxLength: 3 }), fc.constantFrom('#', '+', 'a', ''))
  .map(([levels, last]) => [...levels, last].join('/'));

describe('the table of routes', () => {
  it('finds the first route that a walk through all of them finds', () => {
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 12 }), topic, (filters, name) => {
        const usable = filters.filter((text) => text !== '');
        const routes = usable.map((text): RouteOptions => ({ topic: text, stream: 'telemetry', device: 'd' }));
        const expected = usable.findIndex((text) => matchesFilter(text, name));
        expect(new RouteTable(routes).find(name)?.route.index ?? -1).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('says the same of a topic each time, however many others come between', () => {
    const table = new RouteTable([{ topic: 'plant/+device/#', stream: 'telemetry', device: '{device}' }]);
    const found = (topic: string) => table.find(topic)?.captures.get('device');
    const topics = Array.from({ length: 2_500 }, (_, index) => `plant/d${index}/${'x'.repeat(index % 400)}`);
    for (let round = 0; round < 2; round += 1) {
      for (const [index, topic] of topics.entries()) {
        expect([found(topic), found('plant/same/t'), found('other')]).toEqual([`d${index}`, 'same', undefined]);
      }
    }
  });

  it('never throws, whatever is published, and makes only device ids', () => {
    const all = routesOf(
      '{ zone: Europe/Berlin, includeRoutes: [ tasmota, zigbee2mqtt, shelly, esphome, openmqttgateway ] }',
    );
    const words = fc.constantFrom(
      ...'tele stat zigbee2mqtt shellies home bridge status sensor relay SENSOR state ä 0'.split(' '),
    );
    const part = fc.oneof(
      words,
      fc.string({ unit: 'binary', maxLength: 8 }).map((text) => text.replaceAll(/[/+#\0]/g, '')),
    );
    const name = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'));
    const payload = fc.oneof(fc.json(), fc.string({ unit: 'binary' }), fc.constantFrom('21.5', 'ON', ''));
    fc.assert(
      fc.property(name, payload, (published, text) => {
        const outcome = routed(all, published, Buffer.from(text));
        if (outcome === 'local' || 'refused' in outcome) return;
        for (const { device } of outcome) expect(isDeviceId(device)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
