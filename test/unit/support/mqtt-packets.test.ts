import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { connectPacket, PacketReader, PUBACK, PUBREC, publishPacket } from '../../support/mqtt-packets.ts';

describe('the MQTT packets of the load generator', () => {
  it('are the bytes that the standard shows', () => {
    expect(connectPacket({ clientId: 'a', clean: true, keepAliveS: 10 }).toString('hex')).toBe(
      '100d00044d5154540402000a000161',
    );
    const publish = { topic: 'a/b', payload: Buffer.from('x'), packetId: 10 };
    expect(publishPacket({ ...publish, qos: 1 }).toString('hex')).toBe('32080003612f62000a78');
    expect(publishPacket({ ...publish, qos: 2, dup: true }).toString('hex')).toBe('3c080003612f62000a78');
    expect(publishPacket({ ...publish, qos: 0 }).toString('hex')).toBe('30060003612f6278');
  });

  it('carry a length of more than one byte', () => {
    const packet = publishPacket({ topic: 't', payload: Buffer.alloc(200), qos: 1, packetId: 1 });
    expect(packet.subarray(0, 3).toString('hex')).toBe('32cd01');
    expect(packet.byteLength).toBe(3 + 205);
  });

  it('are read whole however they are cut', () => {
    const bytes = Buffer.from('40020001500200024002ffff', 'hex');
    for (let cut = 0; cut <= bytes.byteLength; cut += 1) {
      const reader = new PacketReader();
      const seen: number[][] = [];
      for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
        reader.read(part, (type, word) => seen.push([type, word]));
      }
      expect(seen).toEqual([
        [PUBACK, 1],
        [PUBREC, 2],
        [PUBACK, 0xffff],
      ]);
    }
  });
});
