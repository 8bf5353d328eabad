import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Handshakes } from '../../../../src/sources/mqtt/handshakes.ts';
import type { LocalPacket } from '../../../../src/sources/mqtt/packet.ts';
import { isSessionMark, Persistence } from '../../../../src/sources/mqtt/persistence.ts';
import { RetainedMessages } from '../../../../src/sources/mqtt/retained.ts';
import { Sessions, type StoredSubscription } from '../../../../src/sources/mqtt/sessions.ts';
import { FakeIntake } from '../../../support/fake-intake.ts';

const CLIENT = { id: 'c', conn: {} as Socket };

function setUp() {
  const limits = { maxSessions: 10, maxQueuedMessages: 10, maxQueuedBytes: 1_000 };
  const nothing = (): undefined => undefined;
  const events = { isConnected: () => false, onQueueFull: nothing, onEvicted: nothing };
  const sessions = new Sessions(limits, events);
  const granted: StoredSubscription[] = [];
  const handshakes = new Handshakes(new FakeIntake(), []);
  const persistence = new Persistence({
    sessions,
    retained: new RetainedMessages({ maxTopics: 10, maxBytes: 1_000, maxOwnTopics: 100 }),
    handshakes,
    takeGranted: () => granted.splice(0),
  });
  return { sessions, handshakes, persistence, granted };
}

function message(brokerCounter: number): LocalPacket {
  const fixed = { cmd: 'publish', brokerId: 'b', retain: false, dup: false, clientId: null, qos: 2 } as const;
  return { ...fixed, brokerCounter, topic: 'x', payload: Buffer.from(`${brokerCounter}`) };
}

/** A session with a queue of three messages. */
async function withQueue() {
  const parts = setUp();
  await parts.persistence.subscriptionsByClient(CLIENT);
  parts.granted.push({ topic: 'x', qos: 2 });
  await parts.persistence.addSubscriptions(CLIENT);
  for (const place of [1, 2, 3]) parts.sessions.enqueue(message(place));
  const outgoing = async () => {
    const packets = (await parts.persistence.outgoingStream(CLIENT).toArray()) as LocalPacket[];
    return packets.map(({ cmd, brokerCounter, dup }) => `${cmd} ${brokerCounter}${dup ? ' dup' : ''}`);
  };
  return { ...parts, outgoing };
}

describe('the persistence behind aedes', () => {
  it('knows no session at first, and one without subscriptions from then on', async () => {
    const { persistence } = setUp();
    expect(await persistence.subscriptionsByClient(CLIENT)).toEqual([]);
    const known = await persistence.subscriptionsByClient(CLIENT);
    expect(known.map(({ topic }) => isSessionMark(topic))).toEqual([true]);
  });

  it('knows a session by an open QoS 2 exchange alone', async () => {
    const { persistence, handshakes } = setUp();
    handshakes.open('c', 1);
    expect((await persistence.subscriptionsByClient(CLIENT)).length).toBe(1);
  });

  it('sends again what was sent, as a repetition, and what was received as PUBREL', async () => {
    const { persistence, outgoing } = await withQueue();
    await persistence.outgoingUpdate(CLIENT, { cmd: 'publish', messageId: 10, brokerCounter: 1 });
    await persistence.outgoingUpdate(CLIENT, { cmd: 'publish', messageId: 11, brokerCounter: 2 });
    await persistence.outgoingUpdate(CLIENT, { cmd: 'pubrel', messageId: 11 });
    expect(await outgoing()).toEqual(['publish 1 dup', 'pubrel 2', 'publish 3']);
  });

  it('forgets a message that was withheld, which has no packet id, and no other', async () => {
    const { persistence, outgoing } = await withQueue();
    await persistence.outgoingClearMessageId(CLIENT, { brokerCounter: 2 });
    expect(await outgoing()).toEqual(['publish 1', 'publish 3']);
  });

  it('takes a PUBREC that nobody waits for as it is', async () => {
    const { persistence } = setUp();
    await persistence.outgoingUpdate(CLIENT, { cmd: 'pubrel', messageId: 99 });
    await persistence.outgoingClearMessageId(CLIENT, { messageId: 99 });
  });

  it('leaves the exchanges of others alone when a refused connection ends', async () => {
    const { persistence, handshakes } = setUp();
    handshakes.open('c', 1);
    await persistence.cleanIncoming({ id: null });
    expect(handshakes.isOpen('c', 1)).toBe(true);
    await persistence.cleanIncoming(CLIENT);
    expect(handshakes.isOpen('c', 1)).toBe(false);
  });
});
