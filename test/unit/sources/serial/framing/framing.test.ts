import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BadFrameReason, FrameSink, Framing } from '../../../../../src/sources/serial/framing/framing.ts';
import { CHECKED, FRAMINGS, type FramingCase, framingOf } from '../../../../support/framings.ts';

class Heard implements FrameSink {
  readonly frames: string[] = [];
  readonly faults: BadFrameReason[] = [];

  good(payload: Buffer): void {
    this.frames.push(payload.toString('hex'));
  }

  bad(reason: BadFrameReason): void {
    this.faults.push(reason);
  }
}

const PRINTABLE = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 60 });

/** Payloads that the framing can carry. */
function payloadsOf({ length, isText = false, ...rest }: FramingCase): fc.Arbitrary<Buffer> {
  const framing = framingOf(rest);
  const bytes = fc.uint8Array({ minLength: length ?? 1, maxLength: length ?? 200 });
  const any =
    isText && length === undefined ? PRINTABLE.map((text) => Buffer.from(text)) : bytes.map((b) => Buffer.from(b));
  return any.filter((payload) => framing.encode(payload) !== undefined);
}

const encoded = (framing: Framing, payload: Buffer): Buffer => framing.encode(payload) ?? Buffer.alloc(0);

/** Fed in pieces of any size, and silence at the end; behind each part where nothing else ends a frame. */
function decoded(subject: FramingCase, parts: readonly Buffer[], sizes: readonly number[]): Heard {
  const heard = new Heard();
  const decoder = framingOf(subject).decoder(heard);
  for (const line of subject.isEndedBySilence === true ? parts : [Buffer.concat(parts)]) {
    for (let from = 0, piece = 0; from < line.length; piece += 1) {
      const size = sizes[piece % sizes.length] ?? line.length;
      decoder.feed(Buffer.from(line.subarray(from, from + size)));
      from += size;
    }
    decoder.gap();
  }
  return heard;
}

const SIZES = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 10 });
const hex = (payloads: readonly Buffer[]): string[] => payloads.map((payload) => payload.toString('hex'));

describe.each(FRAMINGS)('$name', (subject) => {
  const framing = framingOf(subject);

  it('gives back what was encoded, in order, however the line is cut', () => {
    fc.assert(
      fc.property(fc.array(payloadsOf(subject), { maxLength: 8 }), SIZES, (payloads, sizes) => {
        const frames = payloads.map((payload) => encoded(framing, payload));
        const heard = decoded(subject, frames, sizes);
        expect(heard.frames).toEqual(hex(payloads));
        expect(heard.faults).toEqual([]);
      }),
    );
  });

  it('finds the frame behind one that was cut off', () => {
    fc.assert(
      fc.property(payloadsOf(subject), payloadsOf(subject), fc.nat(), (lost, kept, at) => {
        const whole = encoded(framing, lost);
        const torn = whole.subarray(0, at % whole.length);
        const heard = new Heard();
        const decoder = framing.decoder(heard);
        decoder.feed(Buffer.concat([torn, subject.ends ?? Buffer.alloc(0)]));
        if (subject.ends === undefined) decoder.gap();
        for (const byte of encoded(framing, kept)) decoder.feed(Buffer.from([byte]));
        if (subject.isEndedBySilence === true) decoder.gap();
        expect(heard.frames.at(-1)).toBe(kept.toString('hex'));
      }),
    );
  });

  it('never fails on any bytes, and tells none of them twice as good, nor as bad', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), SIZES, (bytes, sizes) => {
        let goodBytes = 0;
        let badBytes = 0;
        const decoder = framing.decoder({
          good: (payload) => {
            goodBytes += payload.length;
          },
          bad: (_, piece) => {
            badBytes += piece.length;
          },
        });
        for (let from = 0, piece = 0; from < bytes.length; piece += 1) {
          const size = sizes[piece % sizes.length] ?? 1;
          decoder.feed(Buffer.from(bytes.subarray(from, from + size)));
          from += size;
        }
        decoder.gap();
        expect(goodBytes).toBeLessThanOrEqual(bytes.length);
        expect(badBytes).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });

  it('refuses to encode what it could not decode', () => {
    expect(framing.encode(Buffer.alloc(400, 0x41))).toBeUndefined();
  });
});

describe.each(CHECKED)('$name with a checksum', (subject) => {
  const framing = framingOf(subject);
  const noise = fc
    .uint8Array({ maxLength: 40 })
    .map((bytes) => Buffer.concat([Buffer.from(bytes), subject.ends ?? Buffer.alloc(0)]));

  it('finds every good frame between garbage, and takes no garbage for one', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(noise, payloadsOf(subject)), { maxLength: 6 }),
        noise,
        SIZES,
        (parts, last, sizes) => {
          const line = [...parts.flatMap(([garbage, payload]) => [garbage, encoded(framing, payload)]), last];
          expect(decoded(subject, line, sizes).frames).toEqual(hex(parts.map(([, payload]) => payload)));
        },
      ),
    );
  });

  it('gives no frame with a wrong bit to anybody, and goes on behind it', () => {
    fc.assert(
      fc.property(payloadsOf(subject), payloadsOf(subject), fc.nat(), SIZES, (first, second, at, sizes) => {
        const damaged = Buffer.from(encoded(framing, first));
        const bit = at % (8 * damaged.length);
        damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const line = [damaged, subject.ends ?? Buffer.alloc(0), encoded(framing, second)];
        const { frames } = decoded(subject, line, sizes);
        expect(frames.at(-1)).toBe(second.toString('hex'));
        // In hex a bit may change the case of a digit, and in slip what stands for nothing.
        for (const frame of frames.slice(0, -1)) expect(frame).toBe(first.toString('hex'));
      }),
    );
  });
});
