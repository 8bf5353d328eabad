import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { parseCommand } from '../../../../src/sources/mqtt/published-command.ts';

function parsed(payload: string, name = 'dim') {
  return parseCommand(name, Buffer.from(payload));
}

describe('a command that was published', () => {
  it.each([
    ['', null, 5_000, undefined],
    ['{}', null, 5_000, undefined],
    ['{"params":{"level":40}}', { level: 40 }, 5_000, undefined],
    ['{"params":[1],"timeout_ms":86400000,"request_id":"a.B_9-z"}', [1], 86_400_000, 'a.B_9-z'],
    [`{"request_id":"${'x'.repeat(64)}","timeout_ms":1}`, null, 1, 'x'.repeat(64)],
  ])('is read from %s', (payload, params, timeoutMs, requestId) => {
    expect(parsed(payload)).toEqual({ name: 'dim', params, timeoutMs, requestId });
  });

  it.each([
    ['ON', 'not_json'],
    ['{"params":', 'not_json'],
    ['"ON"', 'not_an_object'],
    ['null', 'not_an_object'],
    ['[{"params":1}]', 'not_an_object'],
    ['{"request_id":7}', 'bad_request_id'],
    ['{"request_id":null}', 'bad_request_id'],
    ['{"request_id":""}', 'bad_request_id'],
    ['{"request_id":"a/b"}', 'bad_request_id'],
    ['{"request_id":"a\\nb"}', 'bad_request_id'],
    ['{"request_id":"+"}', 'bad_request_id'],
    [`{"request_id":"${'x'.repeat(65)}"}`, 'bad_request_id'],
  ])('cannot be answered when it is %s', (payload, fault) => {
    expect(parsed(payload)).toMatchObject({ fault, status: 400, requestId: undefined });
  });

  it.each([
    ['{"request_id":"r","timeout":9}', 'unknown_member', '"timeout" is unknown: an object has params'],
    ['{"request_id":"r","__proto__":9}', 'unknown_member', '"__proto__" is unknown'],
    ['{"request_id":"r","a\\nb":9}', 'unknown_member', '"a\\u{a}b" is unknown'],
    ['{"request_id":"r","timeout_ms":0}', 'bad_timeout', 'from 1 to 86400000'],
    ['{"request_id":"r","timeout_ms":86400001}', 'bad_timeout', 'from 1 to 86400000'],
    ['{"request_id":"r","timeout_ms":1.5}', 'bad_timeout', 'whole number'],
    ['{"request_id":"r","timeout_ms":"5"}', 'bad_timeout', 'whole number'],
    ['{"request_id":"r","timeout_ms":null}', 'bad_timeout', 'whole number'],
  ])('says what is wrong with %s', (payload, fault, error) => {
    expect(parsed(payload)).toEqual({ fault, status: 400, requestId: 'r', error: expect.stringContaining(error) });
  });

  it.each(['', 'a/b', 'ä', 'a b', 'x'.repeat(129)])('is not called "%s"', (name) => {
    expect(parsed('{"request_id":"r"}', name)).toMatchObject({ fault: 'bad_name', status: 422, requestId: 'r' });
  });
});
