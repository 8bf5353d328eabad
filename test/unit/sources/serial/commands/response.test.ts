import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { ResponseOptions } from '../../../../../src/sources/serial/commands/options.ts';
import { responseOf } from '../../../../../src/sources/serial/commands/response.ts';

const found = (options: ResponseOptions, frame: Buffer | string) => responseOf(options).find(Buffer.from(frame));
const pattern = (text: string, error?: string): ResponseOptions => ({
  kind: 'pattern',
  encoding: 'text',
  pattern: text,
  error,
});

describe('an answer that an expression finds', () => {
  it('has its groups as the result, numbers as numbers', () => {
    const answer = found(pattern('^A (?<n>\\S+) (?<on>\\w+) (?<text>\\w+)( (?<none>x))?$'), 'A -1.50 true 007');
    expect(answer).toEqual({
      requestId: undefined,
      answer: { status: 200, result: { n: -1.5, on: true, text: '007', none: null } },
    });
  });

  it('says what it answers, and with which status', () => {
    const options = pattern('^(?<request_id>\\S+) (?<status>\\d+)( (?<error>.+))?$');
    expect(responseOf(options).namesRequest).toBe(true);
    expect(found(options, 'r1 204')).toEqual({ requestId: 'r1', answer: { status: 204 } });
    expect(found(options, '12 404 no lamp')).toEqual({ requestId: '12', answer: { status: 404, error: 'no lamp' } });
    expect(found(options, 'r1 503')).toEqual({ requestId: 'r1', answer: { status: 503, error: 'status 503' } });
  });

  it('failed when the other expression finds it, for the reason that it gives', () => {
    const options = pattern('^OK', '^ERR( (?<error>.+))?$');
    expect(found(options, 'OK')).toEqual({ requestId: undefined, answer: { status: 200 } });
    expect(found(options, 'ERR hot\u0007')?.answer).toEqual({ status: 500, error: 'hot\\u{7}' });
    expect(found(options, 'ERR')?.answer).toEqual({ status: 500, error: 'ERR' });
    expect(found(options, '{"celsius":21}')).toBeUndefined();
  });

  it('names its request only when it does so in a failure too', () => {
    expect(responseOf(pattern('^OK (?<request_id>.+)', '^ERR')).namesRequest).toBe(false);
  });

  it('may be one of bytes', () => {
    const options: ResponseOptions = { kind: 'pattern', encoding: 'hex', pattern: '^06(?<n>..)$' };
    expect(found(options, Buffer.from([6, 255]))?.answer).toEqual({ status: 200, result: { n: 'ff' } });
  });
});

describe('an answer in JSON', () => {
  const options: ResponseOptions = { kind: 'field', field: 'id' };

  it.each([
    ['{"id":"r1","level":3}', 'r1', { status: 200, result: { level: 3 } }],
    ['{"id":7,"status":202,"result":[1]}', '7', { status: 202, result: [1] }],
    ['{"id":"r1","status":"ok","error":null}', 'r1', { status: 200, result: { status: 'ok' } }],
    ['{"id":"r1","error":"hot"}', 'r1', { status: 500, error: 'hot' }],
    ['{"id":"r1","status":409,"error":{"a":1}}', 'r1', { status: 409, error: '{"a":1}' }],
    ['{"id":"r1"}', 'r1', { status: 200 }],
  ])('%s answers %s', (frame, requestId, answer) => {
    expect(found(options, frame)).toEqual({ requestId, answer });
  });

  it.each(['{"celsius":21}', '{"id":{}}', '[1]', 'null', 'no json'])('is not %s', (frame) => {
    expect(found(options, frame)).toBeUndefined();
  });
});

describe('an answer in bytes', () => {
  const options: ResponseOptions = {
    kind: 'layout',
    layout: '<BB2xh3s?',
    columns: ['kind', '_', 'celsius', 'name', 'on'],
    when: { kind: 1 },
    errorWhen: { kind: 255, on: 1 },
  };

  it('is one of that length whose values are as they must be', () => {
    expect(found(options, Buffer.from('01090000feff61620001', 'hex'))).toEqual({
      requestId: undefined,
      answer: { status: 200, result: { kind: 1, celsius: -2, name: 'ab', on: true } },
    });
    expect(found(options, Buffer.from('02090000feff61620001', 'hex'))).toBeUndefined();
    expect(found(options, Buffer.from('01090000feff616200', 'hex'))).toBeUndefined();
  });

  it('failed when they are as in a failure', () => {
    const answer = found(options, Buffer.from('ff090000feff61620001', 'hex'))?.answer;
    expect(answer).toMatchObject({ status: 500, error: '{"kind":255,"celsius":-2,"name":"ab","on":true}' });
    expect(found(options, Buffer.from('ff090000feff61620000', 'hex'))).toBeUndefined();
  });
});
