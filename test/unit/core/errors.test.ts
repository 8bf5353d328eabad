import { describe, expect, it } from 'vitest';
import { codeOf, messageOf, SluiceError } from '../../../src/core/errors.ts';

describe('an error', () => {
  it('keeps its code, its hint and its cause, and waits for people unless it says otherwise', () => {
    const cause = new Error('disk');
    const error = new SluiceError('cannot store', { code: 'disk_full', hint: 'Free some space', cause });
    expect(error).toMatchObject({ name: 'SluiceError', message: 'cannot store', code: 'disk_full', retryable: false });
    expect([error.hint, error.cause, error instanceof Error]).toEqual(['Free some space', cause, true]);
    expect(new SluiceError('later', { code: 'busy', retryable: true }).retryable).toBe(true);
  });

  it('has no cause when none was given', () => {
    expect('cause' in new SluiceError('x', { code: 'x' })).toBe(false);
  });
});

describe('anything that was thrown', () => {
  it.each([
    [new Error('broken'), 'broken'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
  ])('%j has a message', (thrown, message) => {
    expect(messageOf(thrown)).toBe(message);
  });

  it.each([
    [Object.assign(new Error('x'), { code: 'ENOENT' }), 'ENOENT'],
    [new SluiceError('x', { code: 'locked' }), 'locked'],
    [{ code: 5 }, undefined],
    [new Error('x'), undefined],
    ['ENOENT', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('%j may have a code', (thrown, code) => {
    expect(codeOf(thrown)).toBe(code);
  });
});
