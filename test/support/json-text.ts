import fc from 'fast-check';

const SPACE = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 });

const ODD_NUMBERS = [
  '0',
  '-0',
  '1.0',
  '1.50',
  '1e2',
  '1E+2',
  '1e-400',
  '1e400',
  '-1e400',
  '123456789012345678901234567890',
];

const ODD_STRINGS = [
  '"[1,2]"',
  '"}],{"',
  '"\\""',
  '"\\\\"',
  '"\\\\\\"]"',
  '"\\u005d,"',
  '"\\ud800"',
  '"\\u0000"',
  '"__proto__"',
  '"ü漢😀"',
];

const NUMBER = fc.oneof(fc.constantFrom(...ODD_NUMBERS), fc.double({ noNaN: true }).map(printNumber));
const STRING = fc.oneof(
  fc.constantFrom(...ODD_STRINGS),
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
);

function printNumber(value: number): string {
  return Number.isFinite(value) ? JSON.stringify(value) : '1e999';
}

/** `open`, the parts with commas between them, `close`, with random white space wherever JSON allows it. */
function enclosed(open: string, parts: fc.Arbitrary<readonly string[]>, close: string): fc.Arbitrary<string> {
  return parts.chain((texts) =>
    fc.array(SPACE, { minLength: texts.length * 2 + 1, maxLength: texts.length * 2 + 1 }).map((spaces) => {
      const body = texts.map((text, index) => `${spaces[index * 2]}${text}${spaces[index * 2 + 1]}`).join(',');
      return open + body + (texts.length === 0 ? spaces.at(-1) : '') + close;
    }),
  );
}

/** Keys differ: what a repeated one means is nobody's promise (RFC 8259 §4), and JSON.parse is not of one mind itself. */
function objectOf(value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const keys = fc.uniqueArray(STRING, { maxLength: 4, selector: (key): unknown => JSON.parse(key) });
  const members = keys.chain((texts) =>
    fc.tuple(
      ...texts.map((key) =>
        fc.tuple(SPACE, SPACE, value).map(([before, after, text]) => `${key}${before}:${after}${text}`),
      ),
    ),
  );
  return enclosed('{', members, '}');
}

const { value, scalar } = fc.letrec<{ value: string; scalar: string; array: string; object: string }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, tie('scalar'), tie('array'), tie('object')),
  scalar: fc.oneof(fc.constantFrom('true', 'false', 'null'), NUMBER, STRING),
  array: enclosed('[', fc.array(tie('value'), { maxLength: 4 }), ']'),
  object: objectOf(tie('value')),
}));

/** The text of any JSON value, numbers and white space printed as no printer would. */
export const jsonText: fc.Arbitrary<string> = value;

/** A JSON array: the texts of its elements, and of the whole, outer white space included. */
export const jsonArrayText: fc.Arbitrary<{ elements: readonly string[]; text: string }> = fc
  .array(value, { minLength: 1, maxLength: 6 })
  .chain((elements) =>
    fc
      .tuple(SPACE, enclosed('[', fc.constant(elements), ']'), SPACE)
      .map(([before, text, after]) => ({ elements, text: before + text + after })),
  );

/** A JSON object of metrics, each a scalar. */
export const metricsText: fc.Arbitrary<string> = enclosed(
  '{',
  fc
    .uniqueArray(fc.string({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 6 })
    .chain((keys) =>
      fc
        .array(scalar, { minLength: keys.length, maxLength: keys.length })
        .map((values) => keys.map((key, index) => `${JSON.stringify(key)}: ${values[index]}`)),
    ),
  '}',
);
