import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDeviceTopic } from '../../../src/core/device-topic.ts';
import { routeTopic } from '../../../src/ingest/topic.ts';

const LEVELS = [
  'devices',
  'kitchen',
  '',
  'telemetry',
  'events',
  'state',
  'reported',
  'responses',
  'status',
  'x y',
  'a\nb',
];

describe('a topic of the default namespace', () => {
  it('is just what ingest takes for one', () => {
    const level = fc.constantFrom(...LEVELS);
    const rest = fc.array(level, { maxLength: 4 });
    const topic = fc.oneof(
      rest.map((levels) => ['devices', ...levels].join('/')),
      rest.map((levels) => levels.join('/')),
    );
    fc.assert(
      fc.property(topic, (text) => isDeviceTopic(text) === !('local' in routeTopic(text))),
      { numRuns: 5_000 },
    );
    expect(isDeviceTopic('devices/kitchen/telemetry/temperature')).toBe(true);
    expect(isDeviceTopic('tele/kitchen/SENSOR')).toBe(false);
  });
});
