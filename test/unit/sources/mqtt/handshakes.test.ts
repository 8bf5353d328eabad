import { describe, expect, it } from 'vitest';
import { Handshakes } from '../../../../src/sources/mqtt/handshakes.ts';
import { FakeIntake } from '../../../support/fake-intake.ts';

function setUp(restored: readonly { clientId: string; packetId: number }[] = []) {
  const intake = new FakeIntake();
  return { intake, handshakes: new Handshakes(intake, restored) };
}

describe('open QoS 2 exchanges', () => {
  it('tell a repeated packet id from a new one', () => {
    const { handshakes } = setUp();
    expect(handshakes.open('a', 1)).toBe(false);
    expect(handshakes.open('a', 1)).toBe(true);
    expect(handshakes.open('a', 2)).toBe(false);
    expect(handshakes.open('b', 1)).toBe(false);
  });

  it('are bounded for each client, whatever connection they came over', () => {
    const { handshakes } = setUp([{ clientId: 'a', packetId: 1 }]);
    for (let packetId = 2; packetId <= 10_000; packetId++) handshakes.open('a', packetId);
    expect([handshakes.isFull('a', 1), handshakes.isFull('a', 10_001), handshakes.isFull('b', 1)]).toEqual([
      false,
      true,
      false,
    ]);
  });

  it('need more than PUBREC until the message was received', () => {
    const { handshakes } = setUp();
    handshakes.open('a', 1);
    expect(handshakes.isReceived('a', 1)).toBe(false);
    handshakes.received('a', 1);
    expect(handshakes.isReceived('a', 1)).toBe(true);
  });

  it('are released only when that is on disk', async () => {
    const { intake, handshakes } = setUp();
    handshakes.open('a', 1);
    intake.hold();
    let released = false;
    const release = handshakes.release('a', 1).then(() => {
      released = true;
    });
    await new Promise(setImmediate);
    expect(released).toBe(false);
    expect(handshakes.isOpen('a', 1)).toBe(true);
    intake.letGo();
    await release;
    expect(handshakes.isOpen('a', 1)).toBe(false);
  });

  it('are released once for a repeated PUBREL, and both wait for it', async () => {
    const { intake, handshakes } = setUp();
    handshakes.open('a', 1);
    await Promise.all([handshakes.release('a', 1), handshakes.release('a', 1)]);
    expect(intake.calls).toEqual(['release a 1']);
  });

  it('keep a new message that took the packet id while the old one was being released', async () => {
    const { handshakes } = setUp();
    handshakes.open('a', 1);
    const release = handshakes.release('a', 1);
    expect(handshakes.open('a', 1)).toBe(false);
    await release;
    expect(handshakes.isOpen('a', 1)).toBe(true);
  });

  it('that were open before a restart are known', async () => {
    const { intake, handshakes } = setUp([{ clientId: 'a', packetId: 7 }]);
    expect(handshakes.has('a')).toBe(true);
    expect(handshakes.isReceived('a', 7)).toBe(true);
    await handshakes.release('a', 7);
    expect(intake.calls).toEqual(['release a 7']);
    expect(handshakes.has('a')).toBe(false);
  });

  it('of a session that ends are released together, and the store is asked only when there are some', async () => {
    const { intake, handshakes } = setUp();
    handshakes.open('a', 1);
    handshakes.open('a', 2);
    await handshakes.releaseAll('a');
    await handshakes.releaseAll('a');
    await handshakes.releaseAll('b');
    expect(intake.calls).toEqual(['release a all']);
  });

  it('of a session that ends are no session any more, and PUBREL waits until that is on disk', async () => {
    const { intake, handshakes } = setUp();
    handshakes.open('a', 1);
    intake.hold();
    const told: string[] = [];
    const ended = handshakes.releaseAll('a').then(() => told.push('ended'));
    const released = handshakes.release('a', 1).then(() => told.push('released'));
    await new Promise(setImmediate);
    expect([told, handshakes.has('a'), handshakes.isOpen('a', 1)]).toEqual([[], false, true]);
    intake.letGo();
    await Promise.all([ended, released]);
    expect(intake.calls).toEqual(['release a all']);
    expect(handshakes.isOpen('a', 1)).toBe(false);
  });

  it('that were given up while the message was stored stay so', async () => {
    const { handshakes } = setUp();
    handshakes.open('a', 1);
    await handshakes.releaseAll('a');
    handshakes.received('a', 1);
    expect([handshakes.has('a'), handshakes.open('a', 1)]).toEqual([false, false]);
  });

  it('need nothing from the store for a packet id that is not open', async () => {
    const { intake, handshakes } = setUp();
    await handshakes.release('a', 1);
    expect(intake.calls).toEqual([]);
  });
});
