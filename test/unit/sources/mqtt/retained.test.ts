import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { type RetainedMessage, RetainedMessages } from '../../../../src/sources/mqtt/retained.ts';

function message(topic: string, payload: string | Buffer, clientId: string | null = 'c'): RetainedMessage {
  return { topic, payload: Buffer.from(payload), qos: 0, clientId };
}

async function found(retained: RetainedMessages, ...filters: readonly string[]): Promise<readonly string[]> {
  const texts: string[] = [];
  for await (const { topic, payload } of retained.matching(filters)) texts.push(`${topic} ${payload}`);
  return texts;
}

describe('retained messages', () => {
  it('are the last of each topic, until an empty one removes them', async () => {
    const retained = new RetainedMessages({ maxTopics: 10, maxBytes: 100, maxOwnTopics: 1 });
    retained.put(message('a', '1'));
    retained.put(message('a', '2'));
    retained.put(message('b', '3'));
    expect(await found(retained, '#')).toEqual(['a 2', 'b 3']);
    retained.put(message('a', ''));
    expect(await found(retained, '#')).toEqual(['b 3']);
  });

  it('are found by name and by filter, those that begin with $ not by a wildcard in front', async () => {
    const retained = new RetainedMessages({ maxTopics: 10, maxBytes: 100, maxOwnTopics: 1 });
    for (const topic of ['a/b', 'a/c', '$x/b']) retained.put(message(topic, '1'));
    expect(await found(retained, 'a/b')).toEqual(['a/b 1']);
    expect(await found(retained, '+/b')).toEqual(['a/b 1']);
    expect(await found(retained, 'a/b/#')).toEqual(['a/b 1']);
    expect(await found(retained, 'a/+')).toEqual(['a/b 1', 'a/c 1']);
    expect(await found(retained, '$x/#', 'a/c')).toEqual(['a/c 1', '$x/b 1']);
  });

  it('are bounded in number and in bytes; a topic that is known may change within them', async () => {
    const retained = new RetainedMessages({ maxTopics: 2, maxBytes: 12, maxOwnTopics: 1 });
    expect(retained.put(message('a', '12345'))).toBe(true);
    expect(retained.put(message('b', '123456'))).toBe(false);
    expect(retained.put(message('b', '12345'))).toBe(true);
    expect(retained.put(message('c', ''))).toBe(true);
    expect(retained.put(message('c', '1'))).toBe(false);
    expect(retained.put(message('a', '1'))).toBe(true);
    expect(await found(retained, '#')).toEqual(['b 12345', 'a 1']);
  });

  it("that are the broker's own have room of their own", async () => {
    const retained = new RetainedMessages({ maxTopics: 1, maxBytes: 1, maxOwnTopics: 1 });
    retained.put(message('a', '1'));
    expect(retained.put(message('devices/x/status', 'online', null))).toBe(true);
    expect(await found(retained, 'devices/#')).toEqual(['devices/x/status online']);
    expect(retained.put(message('devices/y/status', 'online', null))).toBe(false);
    expect(retained.put(message('devices/x/status', 'offline', null))).toBe(true);
  });

  it('let others have their turn, however many filters look through however many topics', async () => {
    const retained = new RetainedMessages({ maxTopics: 20_000, maxBytes: 1e9, maxOwnTopics: 1 });
    for (let i = 0; i < 20_000; i++) retained.put(message(`devices/d/a/${i}`, '1'));
    const filters = Array.from({ length: 1_000 }, (_, i) => `devices/d/a/+/n${i}`);
    let turns = 0;
    const count = (): void => {
      turns += 1;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    expect(await found(retained, ...filters)).toEqual([]);
    clearImmediate(timer);
    expect(turns).toBeGreaterThan(50);
  });
});
