import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deviceOfTopic,
  isBrokerTopic,
  isDeviceTopic,
  isOwnTopic,
  nameInNamespace,
} from '../../../src/core/device-topic.ts';

const LEVELS = [
  'devices',
  'kitchen',
  '',
  'telemetry',
  'events',
  'state',
  'reported',
  'desired',
  'status',
  'x y',
  'a\nb',
];

describe('the default namespace', () => {
  it.each([
    ['devices/kitchen/status', 'kitchen'],
    ['devices/kitchen/', 'kitchen'],
    ['devices/kitchen', undefined],
    ['devices//status', undefined],
    ['house/devices/kitchen/x', undefined],
  ])('says of %s that its device is %s', (topic, device) => {
    expect(deviceOfTopic(topic)).toBe(device);
  });

  it.each(['telemetry', 'telemetry/t', 'telemetry/', 'events/', 'events/a\nb', 'state/reported', 'responses/r'])(
    'knows %j as what devices publish',
    (name) => {
      expect([isDeviceTopic(`devices/kitchen/${name}`), isBrokerTopic(`devices/kitchen/${name}`)]).toEqual([
        true,
        false,
      ]);
    },
  );

  it.each(['status', 'commands', 'commands/restart', 'commands/a\nb/c', 'state/desired', 'state/delta'])(
    'knows %j as what the broker says',
    (name) => {
      expect([isDeviceTopic(`devices/kitchen/${name}`), isBrokerTopic(`devices/kitchen/${name}`)]).toEqual([
        false,
        true,
      ]);
    },
  );

  it.each(['', 'telemetry/a/b', 'events', 'responses/', 'state', 'status/x', 'x/telemetry', 'commandsx'])(
    'does not know %j',
    (name) => {
      expect([isDeviceTopic(`devices/kitchen/${name}`), isBrokerTopic(`devices/kitchen/${name}`)]).toEqual([
        false,
        false,
      ]);
    },
  );

  it('has no topic of which both speak, and none outside', () => {
    const topic = fc.array(fc.constantFrom(...LEVELS), { maxLength: 5 }).map((levels) => levels.join('/'));
    fc.assert(
      fc.property(topic, (text) => {
        const isKnown = isDeviceTopic(text) || isBrokerTopic(text);
        return !(isDeviceTopic(text) && isBrokerTopic(text)) && (!isKnown || text.startsWith('devices/'));
      }),
      { numRuns: 2_000 },
    );
  });

  it('names what stands behind the id, and whose it is', () => {
    const topics = ['devices/d/a/b', 'devices/d/', 'devices/d', 'devices', 'tele/d/a'];
    expect(topics.map(nameInNamespace)).toEqual(['a/b', '', undefined, undefined, undefined]);
    expect(topics.map((topic) => isOwnTopic('d', topic))).toEqual([true, true, false, false, false]);
    expect(isOwnTopic('d', 'devices/d2/a')).toBe(false);
  });
});
