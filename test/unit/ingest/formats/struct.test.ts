import { Buffer } from 'node:buffer';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StructLayout } from '../../../../src/core/struct-layout.ts';
import { decoded, metrics } from '../../../support/decode.ts';

function struct(layout: string, ...columns: readonly string[]) {
  return { layout: new StructLayout(layout), columns };
}

/** What Python's own struct makes of the bytes; text in base64. */
const PYTHON = `
import base64, json, struct, sys
def plain(value):
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
print(json.dumps([[struct.calcsize(layout)] + [plain(v) for v in struct.unpack(layout, bytes.fromhex(data))]
    for layout, data in json.load(sys.stdin)]))
`;

const layouts = fc
  .tuple(
    fc.constantFrom('<', '>', '!'),
    fc.array(fc.tuple(fc.constantFrom('', '1', '2', '3'), fc.constantFrom(...'xsbB?hHiIlLqQefd')), {
      minLength: 1,
      maxLength: 6,
    }),
  )
  .map(([order, items]) => order + items.map(([count, letter]) => count + letter).join(''));

/** NaN is not equal in JSON. */
function plain(value: number | boolean | Buffer): number | boolean | string | null {
  if (Buffer.isBuffer(value)) return value.toString('base64');
  return Number.isNaN(value) ? null : value;
}

/** What the digits of a short float stand for, where that is the one expected. */
function exactly(value: unknown, expected: unknown): unknown {
  const isFloat = typeof value === 'number' && [Math.fround(value), Math.f16round(value)].includes(expected as number);
  return isFloat ? expected : value;
}

describe('struct', () => {
  it("reads what Python's struct reads", () => {
    const cases = fc.sample(fc.tuple(layouts, fc.infiniteStream(fc.nat(255))), { numRuns: 500, seed: 7 });
    const packed = cases.map(([layout, stream]) => {
      const { byteCount } = new StructLayout(layout);
      return { layout, bytes: Buffer.from([...stream.take(byteCount)]) };
    });
    const input = JSON.stringify(packed.map(({ layout, bytes }) => [layout, bytes.toString('hex')]));
    const answer = execFileSync('python3', ['-c', PYTHON], { input, encoding: 'utf8' });
    const expected = JSON.parse(answer.replaceAll(/\bNaN\b/g, 'null').replaceAll('Infinity', '1e999')) as unknown[][];
    for (const [index, { layout, bytes }] of packed.entries()) {
      const mine = new StructLayout(layout);
      const [byteCount, ...values] = expected[index] ?? [];
      expect([layout, mine.byteCount]).toEqual([layout, byteCount]);
      expect(mine.read(bytes).map((value, at) => exactly(plain(value), values[at]))).toEqual(values);
    }
  });

  it('names the values by columns, and leaves out padding and what is called _', () => {
    const node = struct('<BxhIf?', 'n', 'celsius', '_', 'ratio', 'ok');
    const bytes = Buffer.alloc(13);
    bytes.writeUInt8(7, 0);
    bytes.writeInt16LE(-1250, 2);
    bytes.writeFloatLE(0.5, 8);
    bytes.writeUInt8(1, 12);
    expect(metrics('struct', bytes, node)).toEqual({ n: 7, celsius: -1250, ratio: 0.5, ok: true });
  });

  it('has floats with the digits that they were sent with', () => {
    const bytes = Buffer.alloc(14);
    bytes.writeFloatLE(230.1, 0);
    bytes.writeFloatLE(-1e-7, 4);
    bytes.writeFloatLE(16_777_216, 8);
    bytes.writeUInt16LE(0x2e66, 12);
    expect(metrics('struct', bytes, struct('<3fe', 'a', 'b', 'c', 'd'))).toEqual({
      a: 230.1,
      b: -1e-7,
      c: 16_777_216,
      d: 0.1,
    });
  });

  it('takes text up to its first zero; nan and infinity are null', () => {
    const bytes = Buffer.concat([
      Buffer.from('eco\0\0\xff', 'latin1'),
      Buffer.from([0, 0, 0xc0, 0x7f, 0, 0, 0x80, 0x7f]),
    ]);
    expect(metrics('struct', bytes, struct('<6s2f', 'mode', 'a', 'b'))).toEqual({ mode: 'eco', a: null, b: null });
  });

  it('refuses bytes that are more or less than the layout, and text that is no UTF-8', () => {
    expect(decoded('struct', 'abc', struct('<h', 'a'))).toEqual({ refused: 'wrong_length' });
    expect(decoded('struct', 'a', struct('<h', 'a'))).toEqual({ refused: 'wrong_length' });
    expect(decoded('struct', Buffer.from([0xff]), struct('<s', 'a'))).toEqual({ refused: 'not_utf8' });
  });

  it.each(['', 'hI', '<', '@h', '=h', '<h I', '<P', '<1000h', '<h-'])('is not laid out by %j', (layout) => {
    expect(() => new StructLayout(layout)).toThrow('is no layout');
  });
});
