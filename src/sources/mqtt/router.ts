import { Buffer } from 'node:buffer';
import { Hub } from './hub.ts';
import { LIMITS } from './options.ts';
import type { LocalPacket, Qos } from './packet.ts';
import type { Problems } from './problems.ts';
import { RetainedMessages } from './retained.ts';
import { Sessions } from './sessions.ts';

/** What is published, by a client or by the broker itself. */
export interface Publication {
  readonly topic: string;
  readonly payload?: string | Buffer;
  readonly qos?: Qos;
  readonly retain?: boolean;
}

export interface RouterOptions {
  readonly brokerId: string;
  readonly maxQueuedMessages: number;
  readonly maxClients: number;
  readonly problems: Problems;
  readonly isConnected: (clientId: string) => boolean;
  /** A session was given up for a newer one: nothing of it may stay behind. */
  readonly onSessionEvicted: (clientId: string) => void;
}

/**
 * Local delivery, in the place of aedes' own `publish`, which goes through a different number of asynchronous steps
 * for each QoS and for retained messages. They overtake each other there, and what comes late is then taken for a
 * repetition and lost. Here everything is done before the next message is looked at.
 */
export class Router {
  readonly hub = new Hub();
  readonly retained: RetainedMessages;
  readonly sessions: Sessions;
  readonly #brokerId: string;
  readonly #problems: Problems;
  readonly #withheld = new WeakSet<object>();
  #counter = 0;

  constructor({ brokerId, maxQueuedMessages, maxClients, problems, isConnected, onSessionEvicted }: RouterOptions) {
    this.#brokerId = brokerId;
    this.#problems = problems;
    this.retained = new RetainedMessages({
      maxTopics: LIMITS.retainedTopics,
      maxBytes: LIMITS.retainedBytes,
      maxOwnTopics: LIMITS.retainedStatusTopics,
    });
    this.sessions = new Sessions(
      { maxSessions: Math.max(LIMITS.sessions, 2 * maxClients), maxQueuedMessages, maxQueuedBytes: LIMITS.queuedBytes },
      {
        isConnected,
        onEvicted: (clientId) => {
          problems.sessionEvicted(clientId);
          onSessionEvicted(clientId);
        },
        onQueueFull: (clientId) => problems.queueFull(clientId),
      },
    );
  }

  /** `publication` will be acknowledged, but reaches nobody and is not retained. */
  withhold(publication: Publication): void {
    this.#withheld.add(publication);
  }

  publish(publication: Publication, clientId: string | null): void {
    if (this.#withheld.has(publication)) return;
    const packet = this.#stamp(publication, clientId);
    if (packet.retain && !this.retained.put(packet)) this.#problems.retainedFull(packet.topic);
    if (packet.qos > 0) this.sessions.enqueue(packet);
    this.hub.emit(packet);
  }

  /** Tells, and keeps for later subscribers, whether a device is there. */
  announce(device: string, status: 'online' | 'offline'): void {
    this.publish({ topic: `devices/${device}/status`, payload: status, qos: 1, retain: true }, null);
  }

  #stamp({ topic, payload = '', qos = 0, retain = false }: Publication, clientId: string | null): LocalPacket {
    this.#counter += 1;
    return {
      cmd: 'publish',
      brokerId: this.#brokerId,
      brokerCounter: this.#counter,
      topic,
      payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
      qos,
      retain,
      dup: false,
      clientId,
    };
  }
}
