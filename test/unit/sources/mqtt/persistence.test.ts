import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { StoredSubscription } from '../../../../src/core/session.ts';
import { Handshakes } from '../../../../src/sources/mqtt/handshakes.ts';
import { isSessionMark, Persistence } from '../../../../src/sources/mqtt/persistence.ts';
import { RetainedMessages } from '../../../../src/sources/mqtt/retained.ts';
import { brokerSessions } from '../../../support/broker-sessions.ts';
import { FakeIntake } from '../../../support/fake-intake.ts';

const ANYBODY = { identity: null };

const CLIENT = { id: 'c', conn: {} as Socket };

function setUp() {
  const subject = brokerSessions();
  const granted: StoredSubscription[] = [];
  const handshakes = new Handshakes(new FakeIntake(), []);
  const persistence = new Persistence({
    sessions: subject.sessions,
    retained: new RetainedMessages({ maxTopics: 10, maxBytes: 1_000, maxOwnTopics: 100 }),
    handshakes,
    admitted: () => ANYBODY,
    takeGranted: () => granted.splice(0),
    onRelease: () => () => undefined,
    onWill: () => undefined,
    onUnsubscribe: () => undefined,
  });
  return { ...subject, handshakes, persistence, granted };
}

/** A session with a queue of three messages. */
async function withQueue() {
  const parts = setUp();
  await parts.persistence.subscriptionsByClient(CLIENT);
  parts.granted.push({ topic: 'x', qos: 2 });
  await parts.persistence.addSubscriptions(CLIENT);
  for (const text of ['1', '2', '3']) await parts.publish('x', text, 2);
  return parts;
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

  it('leaves it to the sessions to send what is queued, and tells them what was received and acknowledged', async () => {
    const { persistence, queued } = await withQueue();
    expect(await persistence.outgoingStream(CLIENT).toArray()).toEqual([]);
    await persistence.outgoingUpdate(CLIENT, { cmd: 'publish', messageId: 1 });
    await persistence.outgoingUpdate(CLIENT, { cmd: 'pubrel', messageId: 2 });
    await persistence.outgoingClearMessageId(CLIENT, { cmd: 'puback', messageId: 1 });
    expect(queued('c')).toEqual(['pubrel #2', 'publish 3 q2 #3']);
  });

  it('keeps what aedes does not hand out because the queue does: that has no packet id', async () => {
    const { persistence, queued } = await withQueue();
    await persistence.outgoingClearMessageId(CLIENT, { cmd: 'publish' });
    expect(queued('c')).toHaveLength(3);
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
