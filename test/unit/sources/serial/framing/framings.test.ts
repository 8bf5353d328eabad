import { describe, expect, it, vi } from 'vitest';
import { createFraming } from '../../../../../src/sources/serial/framing/create-framing.ts';
import type { FramingOptions } from '../../../../../src/sources/serial/framing/options.ts';

/** What is heard of the pieces, with a gap where one is null: `good "payload"` or `bad reason "bytes"`. */
function hear(options: FramingOptions, pieces: readonly (string | Buffer | null)[]): string[] {
  const heard: string[] = [];
  const decoder = createFraming(options).decoder({
    good: (payload) => heard.push(`good ${JSON.stringify(payload.toString('latin1'))}`),
    bad: (reason, bytes) => heard.push(`bad ${reason} ${JSON.stringify(bytes.toString('latin1'))}`),
  });
  for (const piece of pieces) {
    if (piece === null) decoder.gap();
    else decoder.feed(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece);
  }
  return heard;
}

/** How many bytes were looked at meanwhile to find marks, at the most. */
function searched<Heard>(work: () => Heard): { heard: Heard; searchedBytes: number } {
  const { indexOf, lastIndexOf } = Buffer.prototype;
  let searchedBytes = 0;
  const forward = vi.spyOn(Buffer.prototype, 'indexOf').mockImplementation(function (this: Buffer, value, from) {
    const at = indexOf.call(this, value, from as number);
    searchedBytes += (at === -1 ? this.length : at + 1) - Number(from ?? 0);
    return at;
  });
  const backward = vi.spyOn(Buffer.prototype, 'lastIndexOf').mockImplementation(function (this: Buffer, value, from) {
    const at = lastIndexOf.call(this, value, from as number);
    searchedBytes += Math.min(this.length - 1, Number(from ?? this.length)) - at;
    return at;
  });
  try {
    return { heard: work(), searchedBytes };
  } finally {
    forward.mockRestore();
    backward.mockRestore();
  }
}

const hexOf = (options: FramingOptions, payload: string): string | undefined =>
  createFraming(options).encode(Buffer.from(payload, 'hex'))?.toString('hex');

const LINES = { kind: 'lines', ending: 'lf', maxFrameBytes: 12 } as const;

describe('lines', () => {
  it('lf takes lines that end in CRLF too, and blank ones say nothing', () => {
    const check = { type: 'xor', place: 'end', order: 'big', form: 'hex' } as const;
    expect(hear(LINES, ['one\r\ntwo\n\n\r\nthree\n'])).toEqual(['good "one"', 'good "two"', 'good "three"']);
    expect(hear({ ...LINES, check }, ['\r\n\na61\r\n'])).toEqual(['good "a"']);
    expect(hear({ ...LINES, ending: 'cr' }, ['a\r\n\r\nb\r'])).toEqual(['good "a"', 'good "b"']);
  });

  it('a checksum of nothing is noise', () => {
    const check = { type: 'xor', place: 'end', order: 'big', form: 'hex' } as const;
    expect(hear({ ...LINES, check }, ['00\r\n01\n'])).toEqual(['bad noise "00\\r"', 'bad checksum "01"']);
    expect(createFraming({ ...LINES, check }).encode(Buffer.alloc(0))).toBeUndefined();
  });

  it('carry no text that a decoder would take something off', () => {
    expect(createFraming(LINES).encode(Buffer.from('one\r'))).toBeUndefined();
    expect(createFraming({ ...LINES, ending: 'cr' }).encode(Buffer.from('\none'))).toBeUndefined();
  });

  it('cr takes lines behind a line feed too', () => {
    expect(hear({ ...LINES, ending: 'cr' }, ['one\r\ntwo\r'])).toEqual(['good "one"', 'good "two"']);
  });

  it('a line that is too long is bad once, and the one behind it is good', () => {
    const pieces = ['0123456789', 'abcdef', 'ghi', 'jk\nnext\n'];
    expect(hear(LINES, pieces)).toEqual(['bad too_long "0123456789abcdef"', 'good "next"']);
    expect(hear(LINES, ['0123456789abcdef\nnext\n'])).toEqual(['bad too_long "0123456789abcdef"', 'good "next"']);
  });

  it('a line that was begun when the line went silent or was closed is incomplete', () => {
    expect(hear(LINES, ['one\ntw', null, 'o\n'])).toEqual(['good "one"', 'bad incomplete "tw"', 'good "o"']);
  });
});

describe('a delimiter', () => {
  it('may be cut anywhere, and a part of it is a part of the frame', () => {
    const options = { kind: 'delimiter', delimiter: Buffer.from('-->'), maxFrameBytes: 12 } as const;
    expect(hear(options, ['a-', '->b', '--', '-->', 'c->'])).toEqual(['good "a"', 'good "b--"']);
    expect(hear(options, ['0123456789abc--', '>next-->'])).toEqual(['bad too_long "0123456789abc--"', 'good "next"']);
  });
});

describe('a delimiter of several equal bytes', () => {
  it('carries no payload that ends like it', () => {
    const framing = createFraming({ kind: 'delimiter', delimiter: Buffer.from('##'), maxFrameBytes: 12 });
    expect(framing.encode(Buffer.from('a#'))).toBeUndefined();
    expect(framing.encode(Buffer.from('#a'))?.toString()).toBe('#a##');
  });
});

describe('cobs', () => {
  const options = { kind: 'cobs', maxFrameBytes: 600 } as const;
  const full = '11'.repeat(254);

  // The examples of the paper, and of its summaries.
  it.each([
    ['00', '010100'],
    ['0000', '01010100'],
    ['001100', '0102110100'],
    ['11220033', '031122023300'],
    ['11223344', '051122334400'],
    ['11000000', '021101010100'],
    [`${full}22`, `ff${full}022200`],
    [`${full}00`, `ff${full}010100`],
  ])('stuffs %s', (payload, line) => {
    expect(hexOf(options, payload)).toBe(line);
  });

  it('takes a full last block with and without the empty one behind it', () => {
    const good = [`good ${JSON.stringify(Buffer.from(full, 'hex').toString('latin1'))}`];
    expect(hear(options, [Buffer.from(`ff${full}00`, 'hex')])).toEqual(good);
    expect(hear(options, [Buffer.from(`ff${full}0100`, 'hex')])).toEqual(good);
  });

  it('an empty frame says nothing', () => {
    expect(hear(options, [Buffer.from('010002610001610100', 'hex')])).toEqual([
      'good "a"',
      'bad malformed "\\u0001a\\u0001"',
    ]);
  });

  it('a block that is longer than the frame is malformed', () => {
    expect(hear(options, [Buffer.from('05112200', 'hex')])).toEqual(['bad malformed "\\u0005\\u0011\\""']);
  });
});

describe('slip', () => {
  const options = { kind: 'slip', maxFrameBytes: 20 } as const;

  it('escapes as RFC 1055 has it', () => {
    expect(hexOf(options, '01c002db03')).toBe('c001dbdc02dbdd03c0');
  });

  it('an escape of nothing is malformed', () => {
    expect(hear(options, [Buffer.from('c001db02c003c0', 'hex')])).toEqual([
      'bad malformed "\\u0001Û\\u0002"',
      'good "\\u0003"',
    ]);
  });
});

describe('nmea0183', () => {
  const options = { kind: 'nmea0183', maxFrameBytes: 100 } as const;
  const BODY = 'GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,';

  it('takes a known sentence, with either case of digits and either end of line', () => {
    expect(hear(options, [`$${BODY}*47\r\n$${BODY}*47\n!AIVDM,1*3b\n`])).toEqual([
      `good "${BODY}"`,
      `good "${BODY}"`,
      'bad checksum "!AIVDM,1*3b"',
    ]);
  });

  it('needs a checksum, and tells what was cut off from what is wrong', () => {
    expect(hear(options, [`$${BODY}\r\n$GPGG$${BODY}*47\r\n$${BODY}*48\r\nnoise\n`])).toEqual([
      `bad malformed "$${BODY}\\r"`,
      'bad malformed "$GPGG"',
      `good "${BODY}"`,
      `bad checksum "$${BODY}*48\\r"`,
      'bad malformed "noise"',
    ]);
  });

  it('a sentence of nothing is noise', () => {
    expect(hear(options, ['$*00\r\n'])).toEqual(['bad noise "$*00\\r"']);
  });

  it('encodes no payload that would be two sentences', () => {
    const framing = createFraming(options);
    expect(framing.encode(Buffer.from('a*b'))).toBeUndefined();
    expect(framing.encode(Buffer.from('PX,1'))?.toString()).toBe('$PX,1*15\r\n');
  });
});

describe('start-end', () => {
  const options = {
    kind: 'start-end',
    start: Buffer.from('<'),
    end: Buffer.from('>'),
    maxFrameBytes: 10,
    gapMs: 0,
  } as const;

  it('drops a frame that was cut off when the next one begins', () => {
    expect(hear(options, ['<ab<cd>', '<e', 'f<gh>'])).toEqual([
      'bad malformed "<ab"',
      'good "cd"',
      'bad malformed "<ef"',
      'good "gh"',
    ]);
  });

  it('takes what two bytes of its marks stand in', () => {
    const marks = { ...options, start: Buffer.from('aa55', 'hex'), end: Buffer.from('55aa', 'hex') };
    const framing = createFraming(marks);
    for (const payload of ['01aa', '5501', 'aa', '01']) {
      const frame = framing.encode(Buffer.from(payload, 'hex')) ?? Buffer.alloc(0);
      const good = `good ${JSON.stringify(Buffer.from(payload, 'hex').toString('latin1'))}`;
      expect(hear(marks, [frame])).toEqual([good]);
      expect(
        hear(
          marks,
          Array.from(frame, (byte) => Buffer.from([byte])),
        ),
      ).toEqual([good]);
    }
    expect(framing.encode(Buffer.from('01aa55', 'hex'))).toBeUndefined();
  });

  it.each([
    ['aa55', '0d'],
    ['aa55', '0d0a'],
    ['aaaa55', '0d0a'],
    ['aaaaaa', '0d0a0a'],
  ])('says the same without any silence, however its marks %s and %s are cut', (start, end) => {
    const marks = { ...options, start: Buffer.from(start, 'hex'), end: Buffer.from(end, 'hex'), maxFrameBytes: 12 };
    const frame = (payload: string): string => `${start}${payload}${end}`;
    const line = [`aa01${start}02`, frame('03'), start.slice(0, 2), frame('0404'), '0d', `${start}05aa`, frame('06')];
    const bytes = Buffer.from(line.join(''), 'hex');
    const whole = hear(marks, [bytes]);
    expect(whole.filter((said) => said.startsWith('good'))).toHaveLength(3);
    for (const size of [1, 2, 3, 4, 5, 7]) {
      const pieceCount = Math.ceil(bytes.length / size);
      const pieces = Array.from({ length: pieceCount }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
      expect(hear(marks, pieces)).toEqual(whole);
    }
  });

  it('searches each byte a few times at most, however the line is cut', () => {
    const marks = { ...options, start: Buffer.from('<<'), end: Buffer.from('>>'), maxFrameBytes: 5_000 };
    const frame = createFraming(marks).encode(Buffer.alloc(4_096, 'x')) ?? Buffer.alloc(0);
    const pieces = Array.from(frame, (byte) => Buffer.from([byte]));
    const { heard, searchedBytes } = searched(() => hear(marks, pieces));
    expect(heard).toEqual([expect.stringMatching(/^good "x{4096}"$/)]);
    expect(searchedBytes).toBeGreaterThan(frame.length);
    expect(searchedBytes).toBeLessThanOrEqual(8 * frame.length);
  });

  it('carries no payload that a decoder would cut', () => {
    const framing = createFraming({ ...options, end: Buffer.from('##') });
    expect(framing.encode(Buffer.from('a#'))).toBeUndefined();
    expect(framing.encode(Buffer.from('#a'))?.toString()).toBe('<#a##');
  });

  it('with nothing between its marks is noise', () => {
    expect(hear(options, ['<><a>', null])).toEqual(['bad noise "<>"', 'good "a"']);
  });

  it('tells noise from what is too long', () => {
    expect(hear(options, ['noise<a><0123456789><b>'])).toEqual([
      'bad noise "noise"',
      'good "a"',
      'bad too_long "<0123456789>"',
      'good "b"',
    ]);
  });
});

describe('fixed', () => {
  it('without anything that a frame begins with starts anew after silence', () => {
    const options = { kind: 'fixed', length: 3, start: Buffer.alloc(0), maxFrameBytes: 3, gapMs: 20 } as const;
    expect(hear(options, ['abcde', null, 'fgh'])).toEqual(['good "abc"', 'bad incomplete "de"', 'good "fgh"']);
  });
});

describe('fixed with a checksum', () => {
  const check = { type: 'xor', place: 'end', order: 'big', form: 'binary' } as const;
  const options = { kind: 'fixed', length: 4, start: Buffer.from('S'), check, maxFrameBytes: 4, gapMs: 0 } as const;

  it('tells each damaged frame as soon as it is whole', () => {
    expect(hear(options, ['Sab\x00Sab\x01S', 'ab\x02Sab\x03'])).toEqual([
      'bad checksum "Sab\\u0000"',
      'bad checksum "Sab\\u0001"',
      'bad checksum "Sab\\u0002"',
      'good "ab"',
    ]);
  });

  it('finds the frame within what was taken for one, and tells the rest but once', () => {
    expect(hear(options, ['xxSaSbc\x01Sy', null, 'zzz', null])).toEqual([
      'bad noise "xx"',
      'bad checksum "SaSb"',
      'good "bc"',
      'bad incomplete "Sy"',
      'bad noise "zzz"',
    ]);
  });
});

describe('length-prefixed', () => {
  const options = {
    kind: 'length-prefixed',
    start: Buffer.from('S'),
    lengthOffset: 1,
    lengthWidth: 1,
    lengthOrder: 'big',
    lengthCovers: 'all',
    maxFrameBytes: 20,
    gapMs: 20,
  } as const;

  it('finds the frame that stands within one whose length deceived', () => {
    expect(hear(options, ['S-\x10S-\x05ab', null])).toEqual(['bad incomplete "S-\\u0010"', 'good "ab"']);
  });

  it('of nothing is noise, as a line that broke sends it', () => {
    const bare = { ...options, start: Buffer.alloc(0), lengthOffset: 0, lengthCovers: 'rest' } as const;
    expect(hear(bare, [Buffer.alloc(10), Buffer.from('\x02ab'), null])).toEqual([
      `bad noise ${JSON.stringify('\0'.repeat(10))}`,
      'good "ab"',
    ]);
  });

  it('a length that is smaller than what it counts, or too large, is no frame', () => {
    expect(hear(options, ['S-\x02S-\xffS-\x04z'])).toEqual(['bad malformed "S-\\u0002S-ÿ"', 'good "z"']);
  });
});

describe('inter-byte-timeout', () => {
  const check = { type: 'crc16-modbus', place: 'end', order: 'little', form: 'binary' } as const;
  const options = { kind: 'inter-byte-timeout', maxFrameBytes: 10, gapMs: 4, check } as const;
  const frame = createFraming(options).encode(Buffer.from('010300', 'hex')) ?? Buffer.alloc(0);

  it('takes what stands between two silences, when its checksum fits', () => {
    expect(
      hear(options, [frame.subarray(0, 2), frame.subarray(2), null, frame.subarray(1), null, frame, null]),
    ).toEqual(['good "\\u0001\\u0003\\u0000"', expect.stringMatching(/^bad checksum/), 'good "\\u0001\\u0003\\u0000"']);
  });

  it('a checksum of nothing is noise', () => {
    expect(hear(options, [Buffer.from('ffff', 'hex'), null])).toEqual(['bad noise "ÿÿ"']);
    expect(createFraming(options).encode(Buffer.alloc(0))).toBeUndefined();
  });

  it('what goes on for too long is bad once, up to the next silence', () => {
    expect(hear(options, ['0123456789a', 'bc', null, null, frame, null])).toEqual([
      'bad too_long "0123456789a"',
      'good "\\u0001\\u0003\\u0000"',
    ]);
  });
});
