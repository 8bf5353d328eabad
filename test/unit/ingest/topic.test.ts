import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isDeviceId } from '../../../src/core/device-id.ts';
import { isName } from '../../../src/ingest/name.ts';
import { routeTopic } from '../../../src/ingest/topic.ts';

const LOCAL = { local: true };

describe('the default namespace', () => {
  it.each([
    ['devices/d1/telemetry', { kind: 'telemetry', device: 'd1' }],
    ['devices/d1/telemetry/temperature', { kind: 'metric', device: 'd1', metric: 'temperature' }],
    ['devices/d1/events/door', { kind: 'event', device: 'd1', eventType: 'door' }],
    ['devices/d1/state/reported', { kind: 'state', device: 'd1' }],
    ['devices/d1/responses/r-17', { kind: 'response', device: 'd1' }],
    [`devices/${'x'.repeat(128)}/telemetry`, { kind: 'telemetry', device: 'x'.repeat(128) }],
    ['devices/A.b_c-9/telemetry/Luftfeuchte außen', { kind: 'metric', device: 'A.b_c-9', metric: 'Luftfeuchte außen' }],
  ])('knows %s', (topic, route) => {
    expect(routeTopic(topic)).toEqual({ route });
  });

  it.each([
    '',
    '/',
    'devices',
    'devices/d1',
    'devices/d1/',
    'devices/d1/status',
    'devices/d1/telemetrie',
    'devices/d1/Telemetry',
    'devices/d1/telemetry/a/b',
    'devices/d1/events',
    'devices/d1/events/a/b',
    'devices/d1/state',
    'devices/d1/state/desired',
    'devices/d1/state/delta',
    'devices/d1/state/reported/x',
    'devices/d1/commands/reboot',
    'devices/d1/responses',
    'devices/d1/responses/a/b',
    '/devices/d1/telemetry',
    'Devices/d1/telemetry',
    'tele/d1/SENSOR',
    'devices/d1/constructor',
    'devices/d1/__proto__/x',
    'devices/Küche/status',
  ])('leaves %j local', (topic) => {
    expect(routeTopic(topic)).toEqual(LOCAL);
  });

  it.each(['', 'Küche', 'a b', 'x'.repeat(129), 'a\u0000', 'a\n', '+', 'ａ'])('refuses the device id %j', (device) => {
    for (const rest of ['telemetry', 'telemetry/t', 'events/e', 'state/reported', 'responses/r'])
      expect(routeTopic(`devices/${device}/${rest}`)).toEqual({ refused: 'bad_device_id' });
  });

  it.each(['', 'a\u0000b', 'a\tb', 'a\u007fb', 'x'.repeat(129)])('refuses %j for a metric or an event type', (name) => {
    expect(routeTopic(`devices/d1/telemetry/${name}`)).toEqual({ refused: 'bad_metric_name' });
    expect(routeTopic(`devices/d1/events/${name}`)).toEqual({ refused: 'bad_event_type' });
  });

  it('judges every topic, and routes only what is fit to be stored', () => {
    const level = fc.oneof(
      fc.constantFrom('devices', 'telemetry', 'events', 'state', 'reported', 'responses', 'd1', 'ts', ''),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(level, { maxLength: 6 }), (levels) => {
        const routed = routeTopic(levels.join('/'));
        if (!('route' in routed)) return;
        expect(isDeviceId(routed.route.device)).toBe(true);
        if (routed.route.kind === 'metric') expect(isName(routed.route.metric)).toBe(true);
        if (routed.route.kind === 'event') expect(isName(routed.route.eventType)).toBe(true);
      }),
    );
  });
});

describe('names', () => {
  it('are 1 to 128 characters', () => {
    expect(['', 'x', 'x'.repeat(128), 'x'.repeat(129)].map(isName)).toEqual([false, true, true, false]);
  });

  it('may hold anything that can be printed', () => {
    for (const name of ['°C', 'a b', '漢字', '__proto__', '"', '\\', '😀', '-']) expect(isName(name)).toBe(true);
  });

  it('hold no control character', () => {
    for (const code of [0x00, 0x01, 0x09, 0x0a, 0x0d, 0x1b, 0x1f, 0x7f, 0x80, 0x85, 0x9f])
      expect(isName(`a${String.fromCharCode(code)}b`)).toBe(false);
  });
});
