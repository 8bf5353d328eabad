import { describe, expect, it } from 'vitest';
import { mayPublish, maySubscribe } from '../../../../src/sources/mqtt/access.ts';

const TRUSTED = null;

describe('who may publish', () => {
  it.each([
    ['meter', 'devices/meter/telemetry', true],
    ['meter', 'devices/meter/telemetry/power', true],
    ['meter', 'devices/meter/events/alarm', true],
    ['meter', 'devices/meter/state/reported', true],
    ['meter', 'devices/meter/responses/4711', true],
    ['meter', 'devices/meter/anything/else', true],
    ['meter', 'devices/meter/status/detail', true],
    ['meter', 'devices/meter', false],
    ['meter', 'devices/meter/', false],
    ['meter', 'devices/other/telemetry', false],
    ['meter', 'devices/meter2/telemetry', false],
    ['meter', 'devices//telemetry', false],
    ['meter', 'devices', false],
    ['meter', 'plant/meter/telemetry', false],
    ['meter', '/devices/meter/telemetry', false],
    ['meter', 'devices/meter/status', false],
    ['meter', 'devices/meter/commands', false],
    ['meter', 'devices/meter/commands/restart', false],
    ['meter', 'devices/meter/commands/a\nb', false],
    ['meter', 'devices/meter/state/desired', false],
    ['meter', 'devices/meter/state/delta', false],
    ['meter', '$SYS/broker/uptime', false],
    ['a.b', 'devices/axb/telemetry', false],
    [TRUSTED, 'devices/meter/telemetry', true],
    [TRUSTED, 'devices/meter/commands/restart', true],
    [TRUSTED, 'plant/hall/lamp', true],
    [TRUSTED, '$other/topic', true],
    [TRUSTED, '$SYSTEM/topic', true],
    [TRUSTED, '$SYS', false],
    [TRUSTED, '$SYS/broker/uptime', false],
    [TRUSTED, 'devices/meter/status', false],
  ])('%s on %s: %s', (identity, topic, allowed) => {
    expect(mayPublish(identity, topic)).toBe(allowed);
  });
});

describe('who may subscribe', () => {
  it.each([
    ['meter', 'devices/meter/#', true],
    ['meter', 'devices/meter/commands/+', true],
    ['meter', 'devices/meter/status', true],
    ['meter', 'devices/+/telemetry', false],
    ['meter', 'devices/#', false],
    ['meter', 'devices/meter2/#', false],
    ['meter', 'devices/meter', false],
    ['meter', 'devices/meter#', false],
    ['meter', '+/meter/#', false],
    ['meter', '#', false],
    ['meter', '$SYS/#', false],
    [TRUSTED, '#', true],
    [TRUSTED, 'devices/+/status', true],
    [TRUSTED, '$other/#', true],
    [TRUSTED, '$SYS', false],
    [TRUSTED, '$SYS/#', false],
    [TRUSTED, '$SYS/broker/clients', false],
  ])('%s to %s: %s', (identity, filter, allowed) => {
    expect(maySubscribe(identity, filter)).toBe(allowed);
  });
});
