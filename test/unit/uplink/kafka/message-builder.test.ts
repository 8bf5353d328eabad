import { describe, expect, it } from 'vitest';
import type { NewRecord } from '../../../../src/core/record.ts';
import { CloudEvents } from '../../../../src/uplink/cloud-event.ts';
import { encodeRecord } from '../../../../src/uplink/kafka/kafkajs/record-encoder.ts';
import {
  MessageBuilder,
  type MessageBuilderOptions,
  type MessageTime,
  messageBytes,
} from '../../../../src/uplink/kafka/message-builder.ts';
import { storedRecord } from '../../../support/stored-record.ts';

const RECEIVED_AT = Date.UTC(2026, 10, 3, 12, 0, 0, 250);
const OBSERVED_AT = Date.UTC(2026, 10, 3, 11, 59);
const SENT_AT = Date.UTC(2026, 10, 3, 12, 5);

interface Case {
  readonly record?: Partial<NewRecord>;
  readonly options?: Partial<MessageBuilderOptions>;
  readonly time?: MessageTime;
}

function builderOf(options: Partial<MessageBuilderOptions>): MessageBuilder {
  return new MessageBuilder({
    stream: 'telemetry',
    events: new CloudEvents({ gatewayId: 'shed-pi', epoch: 'e1', typePrefix: 'sluice' }),
    gatewayId: 'shed-pi',
    key: '{gateway}/{device}',
    envelope: 'binary',
    channelHeader: false,
    ...options,
  });
}

function build({ record = {}, options = {}, time = { sentAt: SENT_AT, kind: 'sent' } }: Case) {
  const builder = builderOf({ stream: record.stream ?? 'telemetry', ...options });
  const message = builder.build(storedRecord(42, { receivedAt: RECEIVED_AT, ...record }), time);
  const headers = Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]);
  return { ...message, key: message.key.toString(), headers: Object.fromEntries(headers) as Record<string, string> };
}

describe('a Kafka message', () => {
  it('says in its headers what a CloudEvent must, and nothing that says nothing', () => {
    const { key, value, headers, timestamp } = build({});
    expect(key).toBe('shed-pi/device-1');
    expect(value.toString()).toBe('{"temperature":21.5}');
    expect(timestamp).toBe(String(SENT_AT));
    expect(headers).toEqual({
      ce_specversion: '1.0',
      ce_id: 'shed-pi:e1:00000000000000000042',
      ce_source: '/gateways/shed-pi',
      ce_type: 'sluice.telemetry',
      'content-type': 'application/json',
      ce_time: '2026-11-03T12:00:00.250Z',
    });
  });

  it('tells both times when the device gave one', () => {
    const { headers } = build({ record: { observedAt: OBSERVED_AT } });
    expect(headers).toMatchObject({
      ce_time: '2026-11-03T11:59:00.000Z',
      ce_recordedtime: '2026-11-03T12:00:00.250Z',
    });
  });

  it.each(['unsynced', 'corrected'] as const)('warns of a time that is %s', (timeQuality) => {
    expect(build({ record: { timeQuality } }).headers).toMatchObject({ ce_timequality: timeQuality });
  });

  it('names the device when the key does not', () => {
    expect(build({ options: { key: '{gateway}' } })).toMatchObject({
      key: 'shed-pi',
      headers: { ce_subject: 'device-1' },
    });
    expect(build({ options: { key: '{stream}-{device}' } })).toMatchObject({ key: 'telemetry-device-1' });
  });

  it('keeps no more than the bytes of each key', () => {
    const { key } = builderOf({}).build(storedRecord(42, {}), { sentAt: SENT_AT, kind: 'sent' });
    expect([key.toString(), key.buffer.byteLength]).toEqual(['shed-pi/device-1', 'shed-pi/device-1'.length]);
  });

  it('names the record that it was before it was tried again', () => {
    const { headers } = build({ record: { retryOf: { uplink: 'plant', seq: 7 } } });
    expect(headers).toMatchObject({ ce_retryof: expect.stringMatching(/:00000000000000000007$/) });
    expect(build({}).headers).not.toHaveProperty('ce_retryof');
  });

  it.each(['backfill', 'replay'] as const)('says that it is sent beside its lane: %s', (lane) => {
    expect(build({ options: { lane } }).headers).toMatchObject({ ce_lane: lane });
    const { value } = build({ options: { lane, envelope: 'structured' } });
    expect(JSON.parse(value.toString())).toMatchObject({ lane });
    expect(build({}).headers).not.toHaveProperty('ce_lane');
  });

  it('names the channel only when asked to', () => {
    const options = { channelHeader: true };
    expect(build({ options }).headers).toMatchObject({ ce_channel: 'devices/device-1/telemetry' });
    expect(build({ options, record: { stream: 'gaps', channel: 'plant' } }).headers).not.toHaveProperty('ce_channel');
  });

  it('has the type of the event', () => {
    const record = { stream: 'events', eventType: 'door' } as const;
    expect(build({ record }).headers).toMatchObject({ ce_type: 'sluice.events.door' });
  });

  it('as a structured event has everything in its value', () => {
    const { value, headers } = build({ options: { envelope: 'structured' } });
    expect(headers).toEqual({ 'content-type': 'application/cloudevents+json; charset=UTF-8' });
    expect(JSON.parse(value.toString())).toMatchObject({ subject: 'device-1', data: { temperature: 21.5 } });
  });

  describe('with the time of observation as its own', () => {
    const time = { sentAt: SENT_AT, kind: 'observed' } as const;

    it('need not say it again', () => {
      const { timestamp, headers } = build({ time, record: { observedAt: OBSERVED_AT } });
      expect(timestamp).toBe(String(OBSERVED_AT));
      expect(headers).not.toHaveProperty('ce_time');
    });

    it('falls back on the time of acceptance', () => {
      expect(build({ time }).timestamp).toBe(String(RECEIVED_AT));
    });

    it('is never in the future', () => {
      const { timestamp, headers } = build({ time, record: { observedAt: SENT_AT + 1 } });
      expect(timestamp).toBe(String(SENT_AT));
      expect(headers).toMatchObject({ ce_time: '2026-11-03T12:05:00.001Z' });
    });

    it.each([
      ['the clock was not set', { timeQuality: 'unsynced', observedAt: OBSERVED_AT }],
      ["the device's clock was never set", { observedAt: 86_400_000 }],
    ] as const)('is that of sending when %s', (_why, record) => {
      expect(build({ time, record }).timestamp).toBe(String(SENT_AT));
    });
  });

  describe('without a time of its own', () => {
    const sentAt = Date.UTC(2025, 11, 31, 23, 59, 59, 999);

    it.each([
      ['the clock is behind this program', { sentAt, kind: 'sent' }],
      ['the clock is behind this program, and the time of observation is asked for', { sentAt, kind: 'observed' }],
      ['Kafka refused the others', { sentAt: SENT_AT, kind: 'none' }],
    ] as const)('says in its headers what it always says when %s', (_why, time) => {
      const { timestamp, headers } = build({ time, record: { observedAt: OBSERVED_AT, timeQuality: 'unsynced' } });
      expect(timestamp).toBe('-1');
      expect(headers).toMatchObject({
        ce_time: '2026-11-03T11:59:00.000Z',
        ce_recordedtime: '2026-11-03T12:00:00.250Z',
        ce_timequality: 'unsynced',
      });
    });

    it('has one again with the first moment that may be now', () => {
      expect(build({ time: { sentAt: sentAt + 1, kind: 'sent' } }).timestamp).toBe(String(sentAt + 1));
    });
  });

  it('counts at least the bytes that it will take', () => {
    const message = build({
      record: { observedAt: OBSERVED_AT, timeQuality: 'corrected' },
      options: { channelHeader: true },
    });
    const plain = { ...message, key: Buffer.from(message.key), offsetDelta: 999, timestampDelta: 2 ** 40 };
    const counted = messageBytes({ ...message, key: plain.key });
    expect(counted).toBeGreaterThanOrEqual(encodeRecord(plain)?.buffer.byteLength ?? Number.POSITIVE_INFINITY);
    expect(counted).toBeLessThan((encodeRecord(plain)?.buffer.byteLength ?? 0) + 64);
  });
});
