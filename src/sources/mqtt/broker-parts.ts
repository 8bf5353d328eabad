import type { OnReachable } from '../../core/command.ts';
import type { CommandDoor } from '../../core/commands.ts';
import type { Intake } from '../../core/ports.ts';
import type { Handshake, TimeQuality } from '../../core/record.ts';
import type { Place } from '../../core/session.ts';
import type { SessionStore } from '../../core/state-store.ts';
import type { AccessControl, Presence } from '../../core/views.ts';
import type { Logger } from '../../platform/logger.ts';
import { Access } from './access.ts';
import { Admission } from './admission.ts';
import type { AedesBroker, BrokerClient } from './aedes-broker.ts';
import { CommandClients } from './command-clients.ts';
import { MqttCommandSink } from './command-sink.ts';
import type { Connections } from './connections.ts';
import { DenialLog } from './denial-log.ts';
import { Handshakes } from './handshakes.ts';
import { Login } from './login.ts';
import { LIMITS, type MqttOptions } from './options.ts';
import { Persistence } from './persistence.ts';
import { PresenceTracker } from './presence-tracker.ts';
import { Problems } from './problems.ts';
import { PublishHook } from './publish-hook.ts';
import { type HeardMessage, PublishedCommands } from './published-commands.ts';
import { Router } from './router.ts';
import { SubscribeHook } from './subscribe-hook.ts';
import { withoutWillKeys } from './wills.ts';

export interface LocalBrokerOptions {
  readonly options: MqttOptions;
  readonly intake: Intake;
  readonly access: AccessControl;
  readonly presence: Presence;
  readonly logger: Logger;
  /** Inbound QoS 2 exchanges that were open when the gateway stopped. */
  readonly openHandshakes: readonly Handshake[];
  readonly sessions: SessionStore;
  /** Told when a device may be sent a command that could not be before. */
  readonly onReachable: OnReachable;
  /** For commands that clients publish. */
  readonly commandDoor: CommandDoor;
  /** What the queues of all sessions may hold together. */
  readonly queueBudgetBytes: number;
  readonly clock: { now(): number; quality(): TimeQuality };
}

/** What the broker is made of, but for aedes. */
export type BrokerParts = ReturnType<typeof createBrokerParts>;

interface Surroundings {
  /** Of the broker itself. */
  readonly id: string;
  readonly connections: Connections;
  /** Made of the parts: there when the first connection is. */
  readonly aedes: () => AedesBroker;
}

export function createBrokerParts(local: LocalBrokerOptions, surroundings: Surroundings) {
  const { options, intake, logger } = local;
  const problems = new Problems(logger);
  const denials = new DenialLog(logger);
  const access = new Access(options.grants);
  // Those of wills are left when the gateway was killed before it removed them.
  const { handshakes: open, publishedWills } = withoutWillKeys(local.openHandshakes);
  const handshakes = new Handshakes(intake, open);
  const lastWill = Math.max(0, ...publishedWills);
  const router = createRouter(local, surroundings, { access, problems, handshakes, lastWill });
  const tracker = createTracker(local, router);
  const commands = createCommands(local, surroundings, { router, problems });
  const publishedCommands = new PublishedCommands({
    door: local.commandDoor,
    publish: (publication) => router.publish(publication),
    onRefused: (refused) => problems.commandRefused(refused),
  });
  const heard = (message: HeardMessage): void => {
    commands.heard(message);
    publishedCommands.heard(message);
  };
  const subscribes = new SubscribeHook(access, denials, options.maxTopicLevels);
  const publishes = new PublishHook({
    intake,
    commands: { heard },
    access,
    router,
    handshakes,
    tracker,
    denials,
    problems,
    maxTopicLevels: options.maxTopicLevels,
  });
  const admission = new Admission({
    login: new Login(local.access, options.connectTimeout),
    problems,
    clientOf: (clientId) => surroundings.aedes().clientOf(clientId),
    isOverloaded: () => publishes.isOverloaded,
  });
  const persistence = createPersistence(surroundings.connections, { router, handshakes, subscribes });
  return {
    problems,
    handshakes,
    publishedWills,
    router,
    tracker,
    commands,
    publishedCommands,
    subscribes,
    publishes,
    admission,
    persistence,
  };
}

interface RouterNeeds {
  readonly access: Access;
  readonly problems: Problems;
  readonly handshakes: Handshakes;
  readonly lastWill: Place;
}

function createRouter(local: LocalBrokerOptions, { id, connections }: Surroundings, needs: RouterNeeds): Router {
  const { options, clock } = local;
  const { access, problems, handshakes, lastWill } = needs;
  return new Router({
    options,
    queueBudgetBytes: local.queueBudgetBytes,
    store: local.sessions,
    now: () => (clock.quality() === 'synced' ? clock.now() : null),
    brokerId: id,
    lastWill,
    problems,
    maySubscribe: (owner, topic) => access.maySubscribe(owner === '' ? null : owner, topic),
    // Also one that is on its way in: its session must not go.
    isConnected: (clientId) => connections.admitted(clientId) !== undefined,
    // It can only fail when the store is gone, and the process with it.
    onSessionEnded: (clientId) => void handshakes.releaseAll(clientId).catch(() => undefined),
  });
}

function createTracker({ presence }: LocalBrokerOptions, router: Router): PresenceTracker {
  return new PresenceTracker({
    presence,
    announce: (device, status) => router.announce(device, status),
    maxDevicesPerSession: LIMITS.devicesPerConnection,
  });
}

interface CommandNeeds {
  readonly router: Router;
  readonly problems: Problems;
}

function createCommands(
  { onReachable }: LocalBrokerOptions,
  { connections, aedes }: Surroundings,
  { router, problems }: CommandNeeds,
): MqttCommandSink<BrokerClient> {
  return new MqttCommandSink({
    clients: new CommandClients({
      broker: aedes,
      messages: router.sessions.messages,
      hasRoom: ({ conn }) => connections.of(conn).hasRoom(),
    }),
    onReachable,
    onIgnored: (response) => problems.responseIgnored(response),
  });
}

interface PersistenceNeeds {
  readonly router: Router;
  readonly handshakes: Handshakes;
  readonly subscribes: SubscribeHook;
}

function createPersistence(
  connections: Connections,
  { router, handshakes, subscribes }: PersistenceNeeds,
): Persistence {
  return new Persistence({
    sessions: router.sessions,
    retained: router.retained,
    handshakes,
    admitted: (clientId) => connections.admitted(clientId),
    takeGranted: ({ conn }) => subscribes.takeFresh(connections.of(conn)),
    onRelease: ({ conn }) => connections.of(conn).acks.watch(() => undefined),
    onWill: ({ conn }, will) => router.wills.put(connections.of(conn), will),
    onUnsubscribe: ({ conn }, filters) => subscribes.unsubscribed(connections.of(conn), filters),
  });
}
