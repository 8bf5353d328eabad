import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { LocalPacket } from '../../../../src/sources/mqtt/packet.ts';
import { RetainedMessages } from '../../../../src/sources/mqtt/retained.ts';

function message(topic: string, payload: string | Buffer, clientId: string | null = 'c'): LocalPacket {
  const fixed = { cmd: 'publish', brokerId: 'b', brokerCounter: 1, qos: 0, retain: true, dup: false } as const;
  return { ...fixed, topic, payload: Buffer.from(payload), clientId };
}

function found(retained: RetainedMessages, ...filters: readonly string[]): readonly string[] {
  return [...retained.matching(filters)].map(({ topic, payload }) => `${topic} ${payload}`);
}

describe('retained messages', () => {
  it('are the last of each topic, until an empty one removes them', () => {
    const retained = new RetainedMessages({ maxTopics: 10, maxBytes: 100 });
    retained.put(message('a', '1'));
    retained.put(message('a', '2'));
    retained.put(message('b', '3'));
    expect(found(retained, '#')).toEqual(['a 2', 'b 3']);
    retained.put(message('a', ''));
    expect(found(retained, '#')).toEqual(['b 3']);
  });

  it('are found by name and by filter, those that begin with $ not by a wildcard in front', () => {
    const retained = new RetainedMessages({ maxTopics: 10, maxBytes: 100 });
    for (const topic of ['a/b', 'a/c', '$x/b']) retained.put(message(topic, '1'));
    expect(found(retained, 'a/b')).toEqual(['a/b 1']);
    expect(found(retained, '+/b')).toEqual(['a/b 1']);
    expect(found(retained, 'a/b/#')).toEqual(['a/b 1']);
    expect(found(retained, 'a/+')).toEqual(['a/b 1', 'a/c 1']);
    expect(found(retained, '$x/#', 'a/c')).toEqual(['$x/b 1', 'a/c 1']);
  });

  it('are bounded in number and in bytes; a topic that is known may change within them', () => {
    const retained = new RetainedMessages({ maxTopics: 2, maxBytes: 12 });
    expect(retained.put(message('a', '12345'))).toBe(true);
    expect(retained.put(message('b', '123456'))).toBe(false);
    expect(retained.put(message('b', '12345'))).toBe(true);
    expect(retained.put(message('c', ''))).toBe(true);
    expect(retained.put(message('c', '1'))).toBe(false);
    expect(retained.put(message('a', '1'))).toBe(true);
    expect(found(retained, '#')).toEqual(['b 12345', 'a 1']);
  });

  it("that are the broker's own always have room", () => {
    const retained = new RetainedMessages({ maxTopics: 1, maxBytes: 1 });
    retained.put(message('a', '1'));
    expect(retained.put(message('devices/x/status', 'online', null))).toBe(true);
    expect(found(retained, 'devices/#')).toEqual(['devices/x/status online']);
  });
});
