import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeldBytes } from '../../../../src/sources/mqtt/held-bytes.ts';
import { boundsAt, decodePublish, isPublish } from '../../../../src/sources/mqtt/publish-packet.ts';
import { packet, publishBytes } from '../../../support/mqtt-raw-client.ts';

describe('a PUBLISH', () => {
  const message = fc.record({
    topic: fc.string({ unit: 'binary', maxLength: 50 }),
    payload: fc.uint8Array({ maxLength: 20_000 }),
    qos: fc.constantFrom(0, 1, 2),
    retain: fc.boolean(),
    dup: fc.boolean(),
    packetId: fc.integer({ min: 0, max: 65_535 }),
  });

  it('is decoded as it was written, wherever it stands', () => {
    fc.assert(
      fc.property(message, fc.nat(50), ({ packetId, payload, ...rest }, before) => {
        const withId = rest.qos > 0 ? { packetId } : {};
        const publish = publishBytes({ ...rest, ...withId, payload: Buffer.from(payload) });
        const bytes = Buffer.concat([Buffer.alloc(before), publish, Buffer.alloc(5)]);
        const bounds = boundsAt(bytes, before);
        expect(bounds.end).toBe(before + publish.length);
        const { messageId, payload: decoded, ...fields } = decodePublish(bytes, bounds) ?? {};
        expect(fields).toEqual({ cmd: 'publish', ...rest });
        expect(messageId).toBe(withId.packetId);
        expect(Buffer.compare(decoded as Buffer, payload)).toBe(0);
      }),
    );
  });

  it.each([
    ['QoS 3', packet(0x36, Buffer.from([0, 1, 97, 0, 1]))],
    ['no topic', packet(0x30)],
    ['half a length', packet(0x30, Buffer.from([0]))],
    ['a topic that is longer than the packet', packet(0x30, Buffer.from([0, 2, 97]))],
    ['no room for the packet id', packet(0x32, Buffer.from([0, 1, 97, 0]))],
    ['a topic that is no UTF-8', packet(0x30, Buffer.from([0, 2, 0xc3, 0x28]))],
  ])('is malformed with %s, whatever comes behind it', (_, bytes) => {
    const more = Buffer.concat([bytes, Buffer.alloc(20, 1)]);
    expect(decodePublish(more, boundsAt(more, 0))).toBeUndefined();
  });

  it('may have the replacement character in its topic', () => {
    const bytes = publishBytes({ topic: 'a/\ufffd', payload: '' });
    expect(decodePublish(bytes, boundsAt(bytes, 0))?.topic).toBe('a/\ufffd');
  });

  it('is told from other packets by its first byte', () => {
    expect([0x30, 0x3f, 0x20, 0x40, undefined].map(isPublish)).toEqual([true, true, false, false, false]);
  });
});

describe('held bytes', () => {
  it('are all that was added, and are given up with the last piece', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 30 }), { minLength: 1 }), (pieces) => {
        const held = new HeldBytes();
        for (const round of [1, 2]) {
          const buffers = pieces.map((piece) => Buffer.from(piece.map((byte) => byte ^ round)));
          for (const piece of buffers.slice(0, -1)) held.add(piece);
          const whole = held.takeWith(buffers.at(-1) ?? Buffer.alloc(0));
          expect(whole.equals(Buffer.concat(buffers))).toBe(true);
        }
      }),
    );
  });
});
