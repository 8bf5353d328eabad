import { describe, expect, it } from 'vitest';
import { only, routed, routedFrom, routesOf } from '../../../support/routed.ts';

/** As the contract has them. */
const CONTRACT = `
routes:
  - { topic: "tele/+device/SENSOR", stream: telemetry, device: "{device}", time: Time, zone: Europe/Berlin }   # Tasmota
  - { topic: "zigbee2mqtt/+device", stream: telemetry, device: "zigbee-{device}" }
  - { topic: "plant/+line/+device/#metric", stream: telemetry, device: "{line}-{device}", metric: "{metric}", format: text }`;

const one = (route: string) => routesOf(`routes: [ ${route} ]`);

describe('routes', () => {
  const routes = routesOf(CONTRACT);

  it('bring Tasmota in, nested JSON and local time', () => {
    const payload = '{"Time":"2026-07-01T12:00:00","AM2301":{"Temperature":21.5,"Humidity":40.0},"TempUnit":"C"}';
    expect(routed(routes, 'tele/office/SENSOR', payload)).toEqual([
      {
        stream: 'telemetry',
        device: 'office',
        value: '{"AM2301.Temperature":21.5,"AM2301.Humidity":40,"TempUnit":"C"}',
        contentType: 'application/json',
        eventType: null,
        at: '2026-07-01T10:00:00.000Z',
        metrics: { 'AM2301.Temperature': 21.5, 'AM2301.Humidity': 40, TempUnit: 'C' },
      },
    ]);
  });

  it('make device ids of captures', () => {
    expect(only(routed(routes, 'zigbee2mqtt/Küche Lampe', '{"state":"ON", "brightness":1.0}'))).toBe(
      'zigbee-Kueche_Lampe {"state":"ON", "brightness":1.0}',
    );
    expect(routed(one('{ topic: "a/+device" }'), 'a/', '{"t":1}')).toEqual({ refused: 'bad_device_id' });
  });

  it('name metrics by the rest of the topic, with dots', () => {
    expect(only(routed(routes, 'plant/l1/press/motor/temp', '21.50'))).toBe('l1-press {"motor.temp":21.50}');
    expect(routed(routes, 'plant/l1/press', '21.5')).toEqual({ refused: 'bad_metric_name' });
    expect(routed(routes, 'plant/l1/press/t', 'nan')).toEqual({ refused: 'nan' });
  });

  it('leave every other topic local', () => {
    for (const topic of ['tele/office/STATE', 'tele/office', 'zigbee2mqtt/a/b', 'plant/l1', 'x', '', '/', '$SYS/x']) {
      expect(routed(routes, topic, '{"t":1}')).toBe('local');
    }
  });

  it('do not change the default namespace, and are offered what it does not know', () => {
    const all = one('{ topic: "devices/#all", device: x, metric: "{all}" }');
    expect(only(routed(all, 'devices/d1/telemetry', '{"t":1}'))).toBe('d1 {"t":1}');
    expect(routed(all, 'devices/d1/telemetry', '21.5')).toEqual({ refused: 'not_an_object' });
    expect(only(routed(all, 'devices/d1/messages/events', '1'))).toBe('x {"d1.messages.events":1}');
  });

  it('that begin with a wildcard see nothing below devices/, nor what begins with $', () => {
    const plant = one('{ topic: "+site/+line/+device/#metric", metric: "{metric}" }, { topic: "#", device: x }');
    expect(only(routed(plant, 'hall/l1/press/t', '1'))).toBe('press {"t":1}');
    for (const topic of ['devices/evil/victim/t', '$other/l1/victim/t'])
      expect(routed(plant, topic, '1')).toBe('local');
  });

  it('let a device that logged in speak for itself alone below its own topics', () => {
    const senml = one('{ topic: "devices/+id/senml", format: senml, device: "{base}" }, { topic: "gw/#", device: x }');
    const pack = (base: string) => ['devices/evil/senml', `[{"bn":"${base}","n":"t","v":1}]`] as const;
    expect(routedFrom('evil', senml, pack('victim/'))).toEqual({ refused: 'other_device' });
    expect(only(routedFrom('evil', senml, pack('evil/')))).toBe('evil {"t":1}');
    expect(only(routedFrom(null, senml, pack('victim/')))).toBe('victim {"t":1}');
    expect(only(routedFrom('evil', senml, ['gw/evil', '{"t":1}']))).toBe('x {"t":1}');
  });

  it('are asked in their order, however they are written', () => {
    const order = routesOf(`
routes:
  - { topic: "a/+x/c", device: first }
  - { topic: "a/b/c", device: second }
  - { topic: "#", device: third }
  - { topic: "a/#", device: fourth }`);
    expect(only(routed(order, 'a/b/c', '{"t":1}'))).toBe('first {"t":1}');
    expect(only(routed(order, 'a/b', '{"t":1}'))).toBe('third {"t":1}');
  });

  it('find one of hundreds', () => {
    const list = Array.from({ length: 900 }, (_, i) => `{ topic: "a/+x/n${i}/#", device: "d${i}-{x}" }`);
    expect(only(routed(one(list.join(', ')), 'a/q/n700/z', '{"t":1}'))).toBe('d700-q {"t":1}');
  });

  it('rename, leave out and reckon metrics', () => {
    const route = one(
      '{ topic: "a/+device", metrics: { A.T: t, B: false, C: { name: c, scale: 0.1 }, D: { scale: 0.5555555555555556, offset: -17.77777777777778 }, E: { scale: 2 } } }',
    );
    expect(only(routed(route, 'a/d', '{"A":{"T":1},"B":2,"C":215,"D":212,"E":"x","F":null}'))).toBe(
      'd {"t":1,"c":21.5,"D":100,"E":"x","F":null}',
    );
    expect(only(routed(route, 'a/d', '{"x":1.0}'))).toBe('d {"x":1.0}');
    expect(routed(route, 'a/d', '{"A":{"T":1},"t":2}')).toEqual({ refused: 'duplicate_metric' });
    expect(routed(route, 'a/d', '{"B":2}')).toEqual({ refused: 'empty' });
  });

  it('say units, and leave the bytes as they are when they say nothing else', () => {
    const route = one(
      '{ topic: "a/+device", metrics: { t: { unit: °C }, p: { name: power, unit: kW, scale: 0.001 }, x: y } }',
    );
    expect(routed(route, 'a/d', '{"t":1.0}')).toMatchObject([{ value: '{"t":1.0}', units: { t: '°C' } }]);
    expect(routed(route, 'a/d', '{"t":1.0,"p":1500}')).toMatchObject([
      { value: '{"t":1,"power":1.5}', units: { t: '°C', power: 'kW' } },
    ]);
    const senml = one('{ topic: "a/+device", format: senml, metrics: { t: { scale: 2 }, h: humidity } }');
    expect(routed(senml, 'a/d', '[{"n":"t","u":"Cel","v":1},{"n":"h","u":"%RH","v":2}]')).toMatchObject([
      { value: '{"t":2,"humidity":2}', units: { humidity: '%RH' } },
    ]);
  });

  it('keep the name ts for the time', () => {
    const route = one('{ topic: "a/+device", time: at, metrics: { x: ts } }');
    expect(routed(route, 'a/d', '{"at":1772600767,"ts":1}')).toEqual({ refused: 'bad_metric_name' });
    expect(routed(route, 'a/d', '{"x":1}')).toEqual({ refused: 'bad_metric_name' });
    const renamed = one('{ topic: "a/+device", time: at, metrics: { ts: uptime } }');
    expect(only(routed(renamed, 'a/d', '{"at":1772600767,"ts":1}'))).toBe('d {"uptime":1}');
  });

  it('take the options of csv', () => {
    const route = one(
      '{ topic: "m/+device", format: csv, columns: [ time, power ], separator: ";", decimal: ",", time: time }',
    );
    expect(routed(route, 'm/d', '2026-03-04T05:06:07;21,5\n2026-03-04T05:06:08;22\n')).toMatchObject([
      { value: '{"power":21.5}', at: '2026-03-04T05:06:07.000Z' },
      { value: '{"power":22}', at: '2026-03-04T05:06:08.000Z' },
    ]);
  });

  it('bound what names that repeat make of a message', () => {
    const route = one('{ topic: "a/+device", format: senml }');
    const pack = [{ bn: 'x'.repeat(120) }, ...Array.from({ length: 9_000 }, (_, t) => ({ n: 'a', v: 1, t }))];
    expect(routed(route, 'a/d', JSON.stringify(pack))).toEqual({ refused: 'too_large' });
  });

  it('take the device from the base name of SenML', () => {
    const route = one('{ topic: "senml/#", format: senml, device: "{base}" }');
    expect(
      only(routed(route, 'senml/x', '[{"bn":"urn:dev:ow:10e2073a01080063:","n":"t","v":1},{"n":"h","v":2}]')),
    ).toBe('urn_dev_ow_10e2073a01080063 {"t":1,"h":2}');
    expect(routed(route, 'senml/x', '[{"bn":"a","v":1},{"bn":"b","v":1}]')).toEqual({ refused: 'several_devices' });
    expect(routed(route, 'senml/x', '[{"n":"a","v":1}]')).toEqual({ refused: 'bad_device_id' });
  });

  it('take a pack of several base names when the device is that of the topic', () => {
    const route = one('{ topic: "senml/+device", format: senml }');
    expect(only(routed(route, 'senml/x', '[{"bn":"a/","n":"t","v":1},{"bn":"b/","n":"t","v":2}]'))).toBe(
      'x {"a/t":1,"b/t":2}',
    );
  });

  it('may call a capture base', () => {
    for (const format of ['json', 'senml']) {
      const route = one(`{ topic: "x/+base", format: ${format}, device: "{base}" }`);
      const payload = format === 'json' ? '{"t":1}' : '[{"bn":"q:","n":"t","v":1}]';
      expect(routed(route, 'x/y', payload)).toMatchObject([{ device: 'y' }]);
    }
  });
});

describe('routes of events', () => {
  const events = (options: string) =>
    one(`{ topic: "e/+device/#what", stream: events, eventType: "{what}", ${options} }`);
  const record = (contentType: string, value: string, at: string | null = null) => [
    { stream: 'events', device: 'd', contentType, eventType: 'door.front', value, at, metrics: null },
  ];

  it('store payloads as they are', () => {
    expect(routed(events(''), 'e/d/door/front', '{"open":1.0}')).toEqual(record('application/json', '{"open":1.0}'));
    expect(routed(events(''), 'e/d/door/front', 'open')).toEqual(record('text/plain', 'open'));
    expect(routed(events('format: text'), 'e/d/door/front', '1')).toEqual(record('text/plain', '1'));
    expect(routed(events('format: raw'), 'e/d/door/front', 'x')).toEqual(record('application/octet-stream', 'x'));
  });

  it('refuse what is not what they say', () => {
    expect(routed(events('format: json'), 'e/d/door', 'open')).toEqual({ refused: 'invalid_json' });
    expect(routed(events(''), 'e/d/door', Buffer.from([0xff]))).toEqual({ refused: 'not_utf8' });
    expect(routed(events(''), 'e/d', 'x')).toEqual({ refused: 'bad_event_type' });
    expect(routed(events('time: at'), 'e/d/door', '{"at":"soon"}')).toEqual({ refused: 'bad_ts' });
  });

  it('take the time from JSON', () => {
    const timed = events('time: sys.at, zone: Europe/Berlin');
    const payload = '{"sys":{"at":"2026-07-01T12:00:00"}}';
    expect(routed(timed, 'e/d/door/front', payload)).toEqual(
      record('application/json', payload, '2026-07-01T10:00:00.000Z'),
    );
    expect(routed(timed, 'e/d/door/front', 'open')).toEqual(record('text/plain', 'open'));
  });
});

describe('routes of state', () => {
  const route = one('{ topic: "s/+device", stream: state }');

  it('store merge patches', () => {
    expect(routed(route, 's/d', '{"led":null}')).toMatchObject([
      { stream: 'state', device: 'd', value: '{"led":null}' },
    ]);
    expect(routed(route, 's/d', '1')).toEqual({ refused: 'not_an_object' });
    expect(routed(route, 's/d', Buffer.from([0xff]))).toEqual({ refused: 'not_utf8' });
  });
});
