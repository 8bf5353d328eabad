import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import type { SessionChange } from '../../../../src/core/session.ts';
import { AedesBroker, type BrokerHooks } from '../../../../src/sources/mqtt/aedes-broker.ts';
import { Handshakes } from '../../../../src/sources/mqtt/handshakes.ts';
import { Hub } from '../../../../src/sources/mqtt/hub.ts';
import { Persistence } from '../../../../src/sources/mqtt/persistence.ts';
import { RetainedMessages } from '../../../../src/sources/mqtt/retained.ts';
import { brokerSessions } from '../../../support/broker-sessions.ts';
import { FakeIntake } from '../../../support/fake-intake.ts';
import { FakeSessionStore } from '../../../support/fake-session-store.ts';
import { connectBytes } from '../../../support/mqtt-raw-client.ts';

const ANYBODY = { identity: null };

const running: AedesBroker[] = [];

/** Answers some turns later, as one with a disk does. */
class SlowStore extends FakeSessionStore {
  override async saveSessions(changes: readonly SessionChange[]): Promise<void> {
    await turns(4);
    await super.saveSessions(changes);
  }
}

async function startBroker(changes: Partial<BrokerHooks>, store = new FakeSessionStore()): Promise<AedesBroker> {
  const nothing = (): undefined => undefined;
  const hooks: BrokerHooks = {
    connecting: async () => true,
    accepted: nothing,
    registered: nothing,
    gone: nothing,
    publishing: nothing,
    will: nothing,
    subscribing: (_client, subscription) => subscription,
    subscribed: nothing,
    unsubscribed: nothing,
    mayDeliver: () => true,
    packetId: () => 1,
    route: nothing,
    broken: nothing,
    failed: nothing,
    ...changes,
  };
  const { sessions } = brokerSessions({}, store);
  // aedes takes its time to restore subscriptions.
  await sessions.resume('c', '');
  await sessions.subscribe('c', [{ topic: 'x', qos: 1 }]);
  const persistence = new Persistence({
    sessions,
    retained: new RetainedMessages({ maxTopics: 10, maxBytes: 1_000, maxOwnTopics: 100 }),
    handshakes: new Handshakes(new FakeIntake(), []),
    admitted: () => ANYBODY,
    takeGranted: () => [],
    onRelease: () => () => undefined,
    onWill: () => undefined,
    onUnsubscribe: () => undefined,
  });
  const times = { connectTimeoutMs: 1_000, drainTimeoutMs: 1_000 };
  const broker = new AedesBroker(hooks, { id: 'b', hub: new Hub(), persistence, ...times });
  running.push(broker);
  await broker.start();
  return broker;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate);
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((broker) => broker.stop()));
});

describe('aedes', () => {
  it.each(Array.from({ length: 12 }, (_, turn) => turn))(
    'keeps no client whose connection broke %i turns after it was let in',
    async (breakAfter) => {
      const balance: string[] = [];
      const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
      const broker = await startBroker({
        connecting: async () => {
          void turns(breakAfter).then(() => socket.destroy());
          return true;
        },
        registered: ({ id }) => balance.push(`+${id}`),
        gone: ({ id }) => balance.push(`-${id}`),
      });
      broker.handle(socket as unknown as Socket);
      socket.push(connectBytes({ clientId: 'c', clean: false }));
      await turns(30);
      expect(broker.clientOf('c')).toBeUndefined();
      expect([[], ['+c', '-c']]).toContainEqual(balance);
    },
  );

  describe.each([true, false])('of a client that asks for a clean session: %s', (clean) => {
    it.each(Array.from({ length: 12 }, (_, turn) => turn))(
      'keeps none whose connection was reset %i turns after it was let in, and took a while to close',
      async (resetAfter) => {
        const balance: string[] = [];
        const socket = new Duplex({
          read: () => undefined,
          write: (_chunk, _encoding, done) => done(),
          destroy: (error, done) => void turns(6).then(() => done(error)),
        });
        const broker = await startBroker(
          {
            connecting: async () => {
              void turns(resetAfter).then(() => socket.emit('error', new Error('reset')));
              return true;
            },
            registered: ({ id }) => balance.push(`+${id}`),
            gone: ({ id }) => balance.push(`-${id}`),
          },
          new SlowStore(),
        );
        broker.handle(socket as unknown as Socket);
        socket.push(connectBytes({ clientId: 'c', clean }));
        await turns(60);
        expect(broker.clientOf('c')).toBeUndefined();
        expect([[], ['+c', '-c']]).toContainEqual(balance);
      },
    );
  });
});
