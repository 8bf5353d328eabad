import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonElements } from '../../../src/ingest/json-elements.ts';
import { jsonArrayText } from '../../support/json-text.ts';

function split(text: string): string[] {
  return jsonElements(Buffer.from(text)).map((element) => Buffer.from(element).toString());
}

describe('the elements of a JSON array', () => {
  it('are its bytes, verbatim, whatever the white space between them', () => {
    fc.assert(
      fc.property(jsonArrayText, ({ elements, text }) => {
        expect(split(text)).toEqual(elements);
      }),
      { numRuns: 500 },
    );
  });

  it('keep numbers as they were printed', () => {
    expect(split('[1.0, 1e400,-0 ,12345678901234567890]')).toEqual(['1.0', '1e400', '-0', '12345678901234567890']);
  });

  it('are not cut inside strings', () => {
    expect(split('["a,b","]","\\"","\\\\",{"k,":"}"}]')).toEqual(['"a,b"', '"]"', '"\\""', '"\\\\"', '{"k,":"}"}']);
  });

  it('are found in a part of a larger buffer', () => {
    const whole = Buffer.from('xx[1,2]yy');
    expect(jsonElements(whole.subarray(2, 7)).map(String)).toEqual(jsonElements(Buffer.from('[1,2]')).map(String));
  });

  it('may be nested as deeply as a packet allows', () => {
    const deep = '['.repeat(131_000) + ']'.repeat(131_000);
    expect(split(`[${deep},1]`)).toEqual([deep, '1']);
  });

  it('may be many', () => {
    expect(split(`[${'1,'.repeat(130_000)}1]`)).toHaveLength(130_001);
  });
});
