import { describe, expect, it } from 'vitest';
import { Access } from '../../../../src/sources/mqtt/access.ts';

const TRUSTED = null;
const access = new Access([]);

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
    expect(access.mayPublish(identity, topic)).toBe(allowed);
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
    expect(access.maySubscribe(identity, filter)).toBe(allowed);
  });
});

describe('grants', () => {
  const granted = new Access([
    { device: 'tasmota-*', publish: ['tele/{device}/#', 'stat/+/x'], subscribe: ['cmnd/{device}/#', '+/all'] },
    { device: 'bridge', publish: ['#'], subscribe: ['#'] },
  ]);

  it.each([
    ['tasmota-1', 'tele/tasmota-1/SENSOR', true],
    ['tasmota-1', 'tele/tasmota-1', true],
    ['tasmota-1', 'stat/anything/x', true],
    ['tasmota-1', 'devices/tasmota-1/telemetry', true],
    ['tasmota-1', 'tele/tasmota-2/SENSOR', false],
    ['tasmota-1', 'cmnd/tasmota-1/POWER', false],
    ['tasmota-1', 'devices/tasmota-2/telemetry', false],
    ['tasmot', 'tele/tasmot/SENSOR', false],
    ['a-tasmota-1', 'tele/a-tasmota-1/SENSOR', false],
    ['bridge', 'zigbee2mqtt/lamp', true],
    ['bridge', 'devices/other/telemetry', true],
    ['bridge', 'devices/other/status', false],
    ['bridge', 'devices/bridge/commands/x', false],
    ['bridge', '$SYS/x', false],
    ['bridge', '$other/x', false],
  ])('let %s publish on %s: %s', (identity, topic, allowed) => {
    expect(granted.mayPublish(identity, topic)).toBe(allowed);
  });

  it.each([
    ['tasmota-1', 'cmnd/tasmota-1/#', true],
    ['tasmota-1', 'cmnd/tasmota-1/+', true],
    ['tasmota-1', 'cmnd/tasmota-1/POWER', true],
    ['tasmota-1', 'cmnd/tasmota-1', true],
    ['tasmota-1', 'devices/tasmota-1/#', true],
    ['tasmota-1', 'lights/all', true],
    ['tasmota-1', '+/all', true],
    ['tasmota-1', 'cmnd/+/POWER', false],
    ['tasmota-1', 'cmnd/#', false],
    ['tasmota-1', '#', false],
    ['tasmota-1', '+/#', false],
    ['tasmota-1', '$x/all', false],
    ['tasmota-1', 'tele/tasmota-1/#', false],
    ['bridge', '#', true],
    ['bridge', '+/+', true],
    ['bridge', '$SYS/#', false],
    ['bridge', '$other/#', false],
  ])('let %s subscribe to %s: %s', (identity, filter, allowed) => {
    expect(granted.maySubscribe(identity, filter)).toBe(allowed);
  });
});
