import { Buffer } from 'node:buffer';
import process from 'node:process';
import { describe, expect, it } from 'vitest';
import type { FrameSink } from '../../../../../src/sources/serial/framing/framing.ts';
import { CHECKED, FRAMINGS, type FramingCase, feed, framingOf } from '../../../../support/framings.ts';
import { SeededRandom } from '../../../../support/random.ts';

/** A tenth of what `SLUICE_FLOOD=10` plays: 100,000 frames and 10 MB of random bytes over all framings. */
const TIMES = Number(process.env['SLUICE_FLOOD'] ?? 1);
const CASES = [...FRAMINGS, ...CHECKED];
const FRAMES = Math.ceil((TIMES * 100_000) / CASES.length);
const BYTES = Math.ceil((TIMES * 10_000_000) / CASES.length);
const CHUNK_BYTES = 4096;
/** What the collector has not taken away yet is among it. */
const MAX_GROWTH_BYTES = 16 * 1024 * 1024;
const TEXT = 'abcdefghijklmnopqrstuvwxyz0123456789 ={}":.';

function payloadOf({ length, isText = false }: FramingCase, random: SeededRandom): Buffer {
  const size = length ?? random.between(1, 60);
  const byte = isText ? () => TEXT.charCodeAt(random.between(0, TEXT.length - 1)) : () => random.between(0, 255);
  return Buffer.from(Array.from({ length: size }, byte));
}

class Counts implements FrameSink {
  goodCount = 0;
  toldBytes = 0;

  good(payload: Buffer): void {
    this.goodCount += 1;
    this.toldBytes += payload.length;
  }

  bad(_: string, bytes: Buffer): void {
    this.toldBytes += bytes.length;
  }
}

describe.each(CASES.map((subject, index) => ({ ...subject, index })))('$name, flooded', (subject) => {
  const framing = framingOf(subject);

  it('gives back every one of many frames', () => {
    const random = new SeededRandom(subject.index);
    const counts = new Counts();
    const decoder = framing.decoder(counts);
    let sentCount = 0;
    while (sentCount < FRAMES) {
      const some = Array.from({ length: 50 }, () => framing.encode(payloadOf(subject, random)) ?? Buffer.alloc(0));
      sentCount += some.filter(({ length }) => length > 0).length;
      feed(subject, decoder, some);
    }
    decoder.gap();
    expect(counts.goodCount).toBe(sentCount);
  });

  it('keeps nothing of random bytes', () => {
    const random = new SeededRandom(subject.index + 1_000);
    const counts = new Counts();
    const decoder = framing.decoder(counts);
    const chunk = Buffer.alloc(CHUNK_BYTES);
    const before = process.memoryUsage().arrayBuffers;
    let grownBytes = 0;
    for (let fedBytes = 0; fedBytes < BYTES; fedBytes += chunk.length) {
      for (let at = 0; at < chunk.length; at += 4) chunk.writeUInt32LE(Math.floor(random.next() * 2 ** 32), at);
      decoder.feed(chunk);
      grownBytes = Math.max(grownBytes, process.memoryUsage().arrayBuffers - before);
    }
    decoder.gap();
    expect(counts.toldBytes).toBeGreaterThan(0);
    expect(grownBytes).toBeLessThan(MAX_GROWTH_BYTES);
  });
});
