import { Buffer } from 'node:buffer';
import type { OnReachable } from '../../src/core/command.ts';
import type { CommandDoor } from '../../src/core/commands.ts';
import type { Handshake } from '../../src/core/record.ts';
import type { AccessControl, Presence } from '../../src/core/views.ts';
import { MqttSource } from '../../src/sources/mqtt/mqtt-source.ts';
import type { MqttOptions } from '../../src/sources/mqtt/options.ts';
import { FakeIntake } from './fake-intake.ts';
import { FakeSessionStore } from './fake-session-store.ts';
import { MemoryLogger } from './memory-logger.ts';

export class FakeAccess implements AccessControl {
  readonly secrets = new Map<string, string>();
  readonly claims = new Map<string, string | null>();
  /** Awaited before a secret is checked; a test replaces it. */
  beforeAnswer: (isGone: () => boolean) => Promise<void> = () => Promise.resolve();

  async authenticate(device: string, secret: string, isGone: () => boolean = () => false): Promise<boolean> {
    await this.beforeAnswer(isGone);
    return this.secrets.get(device) === secret;
  }

  async claimClientId(clientId: string, identity: string | null): Promise<boolean> {
    if (!this.claims.has(clientId)) this.claims.set(clientId, identity);
    return this.claims.get(clientId) === identity;
  }
}

export class FakePresence implements Presence {
  readonly told: string[] = [];
  readonly devices: string[] = [];

  online(device: string): void {
    this.told.push(`${device} online`);
  }

  offline(device: string): void {
    this.told.push(`${device} offline`);
  }

  known(): Iterable<string> {
    return this.devices;
  }
}

export interface MqttHarnessOptions {
  readonly mqtt?: Partial<MqttOptions>;
  readonly intake?: FakeIntake;
  readonly sessions?: FakeSessionStore;
  readonly openHandshakes?: readonly Handshake[];
  readonly onReachable?: OnReachable;
  /** Default: no device takes commands another way. */
  readonly commandDoor?: CommandDoor;
  /** Devices known at the start. */
  readonly devices?: readonly string[];
}

export interface MqttHarness {
  readonly source: MqttSource;
  readonly intake: FakeIntake;
  readonly sessions: FakeSessionStore;
  readonly access: FakeAccess;
  readonly presence: FakePresence;
  readonly logger: MemoryLogger;
  /** Of the listener that trusts, and of the one that asks for a secret. */
  readonly port: number;
  readonly securePort: number;
}

const NO_OTHER_WAY: CommandDoor = {
  takes: () => false,
  give: () => {
    throw new Error('nothing takes commands');
  },
  get: () => undefined,
  finished: () => Promise.resolve(undefined),
};
const KIB = 1024;
const running: MqttSource[] = [];

/** The real MQTT source on two free loopback ports, with fakes around it. */
export async function startMqtt(options: MqttHarnessOptions = {}): Promise<MqttHarness> {
  const sessions = options.sessions ?? new FakeSessionStore();
  const intake = options.intake ?? new FakeIntake();
  intake.sessions = sessions;
  const access = new FakeAccess();
  const presence = new FakePresence();
  presence.devices.push(...(options.devices ?? []));
  const logger = new MemoryLogger();
  const source = new MqttSource({
    options: mqttOptions(options.mqtt),
    intake,
    access,
    presence,
    logger,
    openHandshakes: options.openHandshakes ?? [],
    sessions,
    onReachable: options.onReachable ?? (() => undefined),
    commandDoor: options.commandDoor ?? NO_OTHER_WAY,
    queueBudgetBytes: 32 * KIB * KIB,
    giveBackMemory: () => undefined,
    clock: { now: Date.now, quality: () => 'synced' },
  });
  running.push(source);
  await source.start();
  const [trusting, secure] = source.addresses();
  return {
    source,
    intake,
    sessions,
    access,
    presence,
    logger,
    port: trusting?.port ?? 0,
    securePort: secure?.port ?? 0,
  };
}

/** For `afterEach`. */
export async function stopMqtt(): Promise<void> {
  await Promise.all(running.splice(0).map((source) => source.stop()));
}

function mqttOptions(changes: Partial<MqttOptions> = {}): MqttOptions {
  return {
    listeners: [
      { host: '127.0.0.1', port: 0, anonymous: true },
      { host: '127.0.0.1', port: 0, anonymous: false },
    ],
    maxPacketSize: 256 * KIB,
    maxPacketSizeBeforeConnect: 16 * KIB,
    maxClients: 500,
    maxConnectRate: 0,
    maxPublishRate: 0,
    maxQueuedMessages: 1000,
    maxQueuedBytes: 4 * KIB * KIB,
    maxQueuedAge: 3_600_000,
    sessionExpiry: 3_600_000,
    maxTopicLevels: 16,
    drainTimeout: 10_000,
    connectTimeout: 10_000,
    grants: [],
    ...changes,
  };
}

/** Everything logged so far, as one text. */
export function logText(logger: MemoryLogger): string {
  return JSON.stringify(logger.lines.map((line) => ({ ...line, fields: { ...line.fields } })));
}

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}
