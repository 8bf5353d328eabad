import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decoded, metrics } from '../../../support/decode.ts';

describe('raw', () => {
  it('is base64 of the bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 50 }), (bytes) => {
        expect(Buffer.from(String(metrics('raw', bytes)['raw']), 'base64')).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('is the value of the metric of its route', () => {
    expect(metrics('raw', 'x', { metric: 'frame' })).toEqual({ frame: 'eA==' });
    expect(decoded('raw', '')).toEqual({ refused: 'empty' });
  });
});
