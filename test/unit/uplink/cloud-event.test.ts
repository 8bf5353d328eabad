import { describe, expect, it } from 'vitest';
import { CloudEvents } from '../../../src/uplink/cloud-event.ts';
import { cloudEventJson, seqOfCloudEventJson } from '../../../src/uplink/cloud-event-json.ts';
import { storedRecord } from '../../support/stored-record.ts';

const EVENTS = new CloudEvents({ gatewayId: 'shed-pi', epoch: '0123456789abcdef', typePrefix: 'sluice' });
const RECEIVED_AT = Date.UTC(2026, 10, 3, 12, 0, 0, 250);

function json(changes: Parameters<typeof storedRecord>[1] = {}, channel = false): string {
  return cloudEventJson(EVENTS, storedRecord(42, { receivedAt: RECEIVED_AT, ...changes }), { channel }).toString();
}

describe('CloudEvents', () => {
  it('has ids that name gateway, epoch and seq, and sort like seqs', () => {
    expect(EVENTS.id(42)).toBe('shed-pi:0123456789abcdef:00000000000000000042');
    expect([EVENTS.id(9) < EVENTS.id(10), EVENTS.id(99_999) < EVENTS.id(2 ** 53 - 1)]).toEqual([true, true]);
  });

  it('names source and type', () => {
    expect(EVENTS.source).toBe('/gateways/shed-pi');
    expect(EVENTS.type(storedRecord(1))).toBe('sluice.telemetry');
    expect(EVENTS.type(storedRecord(1, { stream: 'events', eventType: 'door-opened' }))).toBe(
      'sluice.events.door-opened',
    );
  });

  it('takes the time of observation, else that of acceptance', () => {
    const observedAt = Date.UTC(2026, 0, 1);
    expect(EVENTS.timeMs(storedRecord(1, { receivedAt: RECEIVED_AT }))).toBe(RECEIVED_AT);
    expect(EVENTS.timeMs(storedRecord(1, { receivedAt: RECEIVED_AT, observedAt }))).toBe(observedAt);
    expect(EVENTS.timestamp(RECEIVED_AT)).toBe('2026-11-03T12:00:00.250Z');
  });

  it.each([Number.NaN, -1, 1e18])('does not take %d for a time of observation', (observedAt) => {
    const record = storedRecord(1, { receivedAt: RECEIVED_AT, observedAt });
    expect(EVENTS.timeMs(record)).toBe(RECEIVED_AT);
    expect(EVENTS.hasRecordedTime(record)).toBe(false);
  });

  it('writes a time even when the clock was nonsense', () => {
    expect(EVENTS.timestamp(1e18)).toBe('1970-01-01T00:00:00.000Z');
  });
});

describe('a structured CloudEvent', () => {
  it('is one JSON document with the bytes of the device inside', () => {
    expect(json({ value: Buffer.from('{"t":21.50,"n":1e3}') })).toBe(
      '{"specversion":"1.0","id":"shed-pi:0123456789abcdef:00000000000000000042","source":"/gateways/shed-pi",' +
        '"type":"sluice.telemetry","subject":"device-1","time":"2026-11-03T12:00:00.250Z",' +
        '"datacontenttype":"application/json","data":{"t":21.50,"n":1e3}}',
    );
  });

  it('says more only when there is more to say', () => {
    const observedAt = Date.UTC(2026, 10, 3, 11);
    const event = JSON.parse(json({ observedAt, timeQuality: 'unsynced', channel: 'tele/x/SENSOR' }, true));
    expect(event).toMatchObject({
      time: '2026-11-03T11:00:00.000Z',
      recordedtime: '2026-11-03T12:00:00.250Z',
      timequality: 'unsynced',
      channel: 'tele/x/SENSOR',
    });
  });

  it('has no subject in a gap over many devices, and never the channel of a gap', () => {
    const event = JSON.parse(json({ stream: 'gaps', device: '', channel: 'plant' }, true));
    expect(event).not.toHaveProperty('subject');
    expect(event).not.toHaveProperty('channel');
  });

  it('stays on one line whatever the device sent', () => {
    const spread = json({ value: Buffer.from('{\r\n  "text": "a\\nb"\n}') });
    expect(spread).not.toMatch(/[\r\n]/);
    expect(JSON.parse(spread).data).toEqual({ text: 'a\nb' });
    const text = json({ contentType: 'text/plain', value: Buffer.from('one\ntwo "three"') });
    expect(text).not.toContain('\n');
    expect(JSON.parse(text).data).toBe('one\ntwo "three"');
  });

  it('carries bytes as base64, and text too that is no UTF-8', () => {
    const value = Buffer.from([0xff, 0x00, 0x0a]);
    for (const contentType of ['application/octet-stream', 'text/plain'] as const) {
      const event = JSON.parse(json({ contentType, value }));
      expect(event).toMatchObject({ datacontenttype: contentType, data_base64: '/wAK' });
      expect(event).not.toHaveProperty('data');
    }
  });

  it('tells its seq without being parsed', () => {
    const line = Buffer.from(json());
    expect(seqOfCloudEventJson(line, EVENTS.idPrefix)).toBe(42);
    expect(seqOfCloudEventJson(line.subarray(0, -2), EVENTS.idPrefix)).toBeUndefined();
    expect(seqOfCloudEventJson(line, 'other:epoch:')).toBeUndefined();
    expect(seqOfCloudEventJson(Buffer.from('{}'), EVENTS.idPrefix)).toBeUndefined();
    expect(seqOfCloudEventJson(Buffer.alloc(100), EVENTS.idPrefix)).toBeUndefined();
  });
});
