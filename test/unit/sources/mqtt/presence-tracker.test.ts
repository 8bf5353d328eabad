import { describe, expect, it } from 'vitest';
import { PresenceTracker } from '../../../../src/sources/mqtt/presence-tracker.ts';
import { FakePresence } from '../../../support/mqtt-harness.ts';

function setUp(maxDevicesPerSession = 10) {
  const presence = new FakePresence();
  const announced: string[] = [];
  const announce = (device: string, status: string) => announced.push(`${device} ${status}`);
  return { presence, announced, tracker: new PresenceTracker({ presence, announce, maxDevicesPerSession }) };
}

describe('presence', () => {
  it('is offline for every known device at the start, which is no news', () => {
    const { presence, announced, tracker } = setUp();
    presence.devices.push('a', 'b');
    tracker.start();
    expect(announced).toEqual(['a offline', 'b offline']);
    expect(presence.told).toEqual([]);
  });

  it('comes with the first session and goes with the last', () => {
    const { presence, announced, tracker } = setUp();
    const [one, other] = [{}, {}];
    tracker.speaks(one, 'a');
    tracker.speaks(one, 'a');
    tracker.speaks(other, 'a');
    tracker.gone(one);
    expect(announced).toEqual(['a online']);
    tracker.gone(other);
    tracker.gone(other);
    expect(announced).toEqual(['a online', 'a offline']);
    expect(presence.told).toEqual(announced);
  });

  it('is kept for a bounded number of devices per session', () => {
    const { announced, tracker } = setUp(2);
    const session = {};
    for (const device of ['a', 'b', 'c']) tracker.speaks(session, device);
    tracker.gone(session);
    expect(announced).toEqual(['a online', 'b online', 'a offline', 'b offline']);
  });
});
