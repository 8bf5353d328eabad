import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { channelOfKey, numberedFrame } from '../../../src/core/frame-key.ts';

const frame = (number: number, payload: string, channel = 'serial/a/b') =>
  numberedFrame(channel, number, Buffer.from(payload)).key;

describe('the key of a frame', () => {
  it('is the same for the same number and the same bytes on the same port, and for nothing else', () => {
    expect(frame(7, 'x')).toEqual(frame(7, 'x'));
    for (const other of [frame(8, 'x'), frame(7, 'y'), frame(7, 'x', 'serial/b')])
      expect(other).not.toEqual(frame(7, 'x'));
  });

  it('says which port it is of, and no exchange of MQTT does', () => {
    expect(channelOfKey(frame(4_294_967_295, 'x'))).toBe('serial/a/b');
    expect(channelOfKey({ clientId: 'frame/serial/a/7', packetId: 1 })).toBeUndefined();
  });

  it('never is that of all frames', () => {
    // Its CRC-32 is 0.
    expect(frame(0, '').packetId).toBeGreaterThan(0);
  });
});
