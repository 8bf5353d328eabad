import type { Socket } from 'node:net';
import { Duplex, type DuplexOptions } from 'node:stream';
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

interface Breaking {
  readonly socket: Duplex;
  readonly clean: boolean;
  readonly store?: FakeSessionStore;
  /** So many turns after the client was let in. */
  readonly afterTurns: number;
  breakOff(): void;
}

/** Nobody has the client id in the end, and whoever was registered is gone. */
async function expectNobodyKept({ socket, clean, store, afterTurns, breakOff }: Breaking): Promise<void> {
  const balance: string[] = [];
  const hooks: Partial<BrokerHooks> = {
    connecting: async () => {
      void turns(afterTurns).then(breakOff);
      return true;
    },
    registered: ({ id }) => balance.push(`+${id}`),
    gone: ({ id }) => balance.push(`-${id}`),
  };
  const broker = await startBroker(hooks, store);
  broker.handle(socket as unknown as Socket);
  socket.push(connectBytes({ clientId: 'c', clean }));
  await turns(60);
  expect(broker.clientOf('c')).toBeUndefined();
  expect([[], ['+c', '-c']]).toContainEqual(balance);
}

const TURNS = Array.from({ length: 12 }, (_, turn) => turn);
const SILENT: DuplexOptions = { read: () => undefined, write: (_chunk, _encoding, done) => done() };

describe('aedes', () => {
  it.each(TURNS)('keeps no client whose connection broke %i turns after it was let in', async (afterTurns) => {
    const socket = new Duplex(SILENT);
    await expectNobodyKept({ socket, clean: false, afterTurns, breakOff: () => socket.destroy() });
  });

  it.each(TURNS.flatMap((afterTurns) => [true, false].map((clean) => ({ afterTurns, clean }))))(
    'keeps none whose connection was reset $afterTurns turns after it was let in, and took a while to close, clean session: $clean',
    async ({ afterTurns, clean }) => {
      const socket = new Duplex({ ...SILENT, destroy: (error, done) => void turns(6).then(() => done(error)) });
      const breakOff = (): void => void socket.emit('error', new Error('reset'));
      await expectNobodyKept({ socket, clean, store: new SlowStore(), afterTurns, breakOff });
    },
  );
});
