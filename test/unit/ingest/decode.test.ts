import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../../src/ingest/decode.ts';
import type { Route } from '../../../src/ingest/topic.ts';
import { jsonText } from '../../support/json-text.ts';

const TELEMETRY: Route = { kind: 'telemetry', device: 'd1' };
const METRIC: Route = { kind: 'metric', device: 'd1', metric: 'm' };
const EVENT: Route = { kind: 'event', device: 'd1', eventType: 'door' };
const STATE: Route = { kind: 'state', device: 'd1' };
const RESPONSE: Route = { kind: 'response', device: 'd1' };
const ROUTES = [TELEMETRY, METRIC, EVENT, STATE, RESPONSE];

const REFUSED = { refused: expect.stringMatching(/^[a-z][a-z0-9_]*$/) };

function decode(route: Route, payload: string | Buffer) {
  return decodeMessage(route, Buffer.from(payload));
}

/** The only draft, its value as text. */
function draft(route: Route, payload: string) {
  const decoded = decode(route, payload);
  if ('refused' in decoded) throw new Error(`refused: ${decoded.refused}`);
  expect(decoded.drafts).toHaveLength(1);
  return { ...decoded.drafts[0], value: Buffer.from(decoded.drafts[0]?.value ?? []).toString() };
}

describe('telemetry', () => {
  it('becomes one draft for each reading', () => {
    const decoded = decode(TELEMETRY, '[{"t":1},{"t":2,"ts":1700000000}]');
    expect(decoded).toMatchObject({
      drafts: [
        { stream: 'telemetry', contentType: 'application/json', eventType: null, observedAt: null },
        { stream: 'telemetry', contentType: 'application/json', eventType: null, observedAt: 1_700_000_000_000 },
      ],
    });
  });

  it('as a scalar becomes an object of one metric', () => {
    expect(draft(METRIC, '21.5')).toMatchObject({
      stream: 'telemetry',
      contentType: 'application/json',
      value: '{"m":21.5}',
      metrics: { m: 21.5 },
    });
  });
});

describe('an event', () => {
  it.each(['{"open":true}', ' [1, 2.0] ', '21.50', '"x"', 'null', 'true'])('may be the JSON %s', (payload) => {
    const expected = { stream: 'events', contentType: 'application/json', eventType: 'door', value: payload };
    expect(draft(EVENT, payload)).toMatchObject({ ...expected, observedAt: null, metrics: null });
  });

  it.each(['', 'opened', '{"open":', 'nan', 'ü漢😀', ' ', 'a\u0000b', 'a,b;c'])('may be the text %j', (payload) => {
    const expected = { stream: 'events', contentType: 'text/plain', eventType: 'door', value: payload };
    expect(draft(EVENT, payload)).toMatchObject({ ...expected, observedAt: null, metrics: null });
  });

  it('is stored as sent, and called JSON only when it is', () => {
    fc.assert(
      fc.property(fc.oneof(jsonText, fc.string({ unit: 'binary' })), (payload) => {
        const { value, contentType } = draft(EVENT, payload);
        expect(value).toBe(payload);
        if (contentType === 'application/json') expect(() => JSON.parse(payload)).not.toThrow();
        else expect(() => JSON.parse(payload)).toThrow();
      }),
    );
  });
});

describe('the reported state', () => {
  it.each(['{}', '{"led":null}', ' {"a":{"b":[1.0]}}\n', '{"__proto__":1}'])('may be patched with %s', (payload) => {
    expect(draft(STATE, payload)).toMatchObject({
      stream: 'state',
      contentType: 'application/json',
      eventType: null,
      metrics: null,
      value: payload,
    });
  });

  it.each(['', '[]', '1', 'null', '"x"', 'true', '{"a"', 'led=on'])('cannot be patched with %j', (payload) => {
    expect(decode(STATE, payload)).toEqual(REFUSED);
  });
});

describe('a response', () => {
  it.each([
    '{"status":200,"result":{"a":1.0}}',
    '{"result":null,"status":200}',
    '{"status":404,"error":"no such method"}',
    '{"status":599,"error":"x"}',
    '{"status":500,"error":""}',
  ])('may be %s', (payload) => {
    expect(draft(RESPONSE, payload)).toMatchObject({
      stream: 'responses',
      contentType: 'application/json',
      eventType: null,
      value: payload,
    });
  });

  it.each([
    '',
    'ok',
    '200',
    'null',
    '[]',
    '[{"status":200,"result":1}]',
    '{}',
    '{"result":1}',
    '{"status":"200","result":1}',
    '{"status":null,"result":1}',
    '{"status":200.5,"result":1}',
    '{"status":0,"result":1}',
    '{"status":99,"result":1}',
    '{"status":600,"error":"x"}',
    '{"status":1e400,"error":"x"}',
    '{"status":-404,"error":"x"}',
    '{"__proto__":{"status":200,"result":1}}',
  ])('cannot be %j', (payload) => {
    expect(decode(RESPONSE, payload)).toEqual(REFUSED);
  });
});

describe('any payload', () => {
  it('is refused when it is not UTF-8', () => {
    const broken = ['ff', 'c0af', 'eda080', '7b2274223a22e4227d', 'f8888080', '22c3'].map((hex) =>
      Buffer.from(hex, 'hex'),
    );
    for (const route of ROUTES)
      for (const payload of broken) expect(decode(route, payload)).toEqual({ refused: 'not_utf8' });
  });

  it('is refused when it is empty, with that reason', () => {
    for (const route of [TELEMETRY, METRIC, STATE, RESPONSE]) expect(decode(route, '')).toEqual({ refused: 'empty' });
  });

  it('of 256 KiB is judged, deeply nested or not', () => {
    const half = 128 * 1024;
    const hostile = [
      `${'9'.repeat(half * 2 - 1)}x`,
      '['.repeat(half * 2),
      '['.repeat(half) + ']'.repeat(half),
      '"'.repeat(half * 2),
      '9'.repeat(half * 2),
    ];
    const objects = `${'{"a":'.repeat(half / 5)}1${'}'.repeat(half / 5)}`;
    for (const route of ROUTES)
      for (const payload of [...hostile, objects, `{"t":"${'x'.repeat(half * 2)}"}`, ' '.repeat(half * 2)]) {
        const decoded = decode(route, payload);
        if ('refused' in decoded) expect(decoded).toEqual(REFUSED);
      }
  });

  it('is judged without a throw', () => {
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      jsonText.map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.constantFrom(...ROUTES), payload, (route, bytes) => {
        const decoded = decode(route, bytes);
        if ('refused' in decoded) {
          expect(decoded).toEqual(REFUSED);
          return;
        }
        expect(decoded.drafts.length).toBeGreaterThan(0);
      }),
    );
  });
});
