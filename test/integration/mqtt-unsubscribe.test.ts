import { afterEach, describe, expect, it } from 'vitest';
import { startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { publishBytes, RawClient, subscribeBytes, unsubscribeBytes } from '../support/mqtt-raw-client.ts';

async function heard(client: RawClient, ...topics: readonly string[]): Promise<readonly string[]> {
  client.send(...topics.map((topic) => publishBytes({ topic, payload: 'x' })));
  await client.quiet();
  return client.messages();
}

afterEach(stopMqtt);

describe('UNSUBSCRIBE', () => {
  it('of a session that was there before is not undone by the next SUBSCRIBE', async () => {
    const { port, sessions } = await startMqtt();
    const before = await RawClient.connected(port, { clientId: 'c', clean: false });
    await before.subscribe(['a', 1]);
    before.break();
    const client = await RawClient.connected(port, { clientId: 'c', clean: false });
    client.send(unsubscribeBytes(2, ['a']));
    await client.next('unsuback');
    await client.subscribe(['b', 1]);
    const [session] = await sessions.loadSessions(0, 1_000);
    expect(session?.subscriptions).toEqual([{ topic: 'b', qos: 1 }]);
    expect(await heard(client, 'a', 'b')).toEqual(['b x q0']);
  });

  it.each([true, false])('and SUBSCRIBE in one chunk count in their order (clean session: %s)', async (clean) => {
    const { port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c', clean });
    await client.subscribe(['a', 0], ['b', 1]);
    client.send(
      unsubscribeBytes(2, ['a', 'b']),
      subscribeBytes(3, [
        ['a', 0],
        ['b', 1],
        ['c', 0],
      ]),
      unsubscribeBytes(4, ['c']),
    );
    for (const type of ['unsuback', 'suback', 'unsuback'] as const) await client.next(type);
    expect(await heard(client, 'a', 'b', 'c')).toEqual(['a x q0', 'b x q0']);
  });

  it.each([true, false])('and SUBSCRIBE in one chunk leave no room for more (clean session: %s)', async (clean) => {
    const { port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c', clean });
    await client.subscribe(...Array.from({ length: 1_000 }, (_, n) => [`t/${n}`, 0] as const));
    client.send(unsubscribeBytes(2, ['t/5']), subscribeBytes(3, [['t/5', 0]]));
    await client.next('suback');
    await client.next('unsuback');
    expect(await client.subscribe(['more', 0])).toEqual([0x80]);
  });
});
