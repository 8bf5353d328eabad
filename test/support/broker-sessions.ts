import { Buffer } from 'node:buffer';
import type { Place, Qos } from '../../src/core/session.ts';
import type { Outgoing } from '../../src/sources/mqtt/outgoing-queue.ts';
import type { Link } from '../../src/sources/mqtt/session.ts';
import { SessionJournal } from '../../src/sources/mqtt/session-journal.ts';
import { type SessionLimits, Sessions } from '../../src/sources/mqtt/sessions.ts';
import { FakeSessionStore } from './fake-session-store.ts';

const LIMITS: SessionLimits = {
  maxSessions: 10,
  maxQueuedMessages: 10,
  maxQueuedBytes: 10_000,
  maxQueuedAgeMs: 1_000,
  maxAwayMs: 10_000,
  maxBytes: 10_000,
  maxOwnSessions: 3,
  maxFilterBytes: 1_000_000,
  maxOwnFilterBytes: 10_000,
};

export interface BrokerSessions {
  readonly sessions: Sessions;
  readonly journal: SessionJournal;
  readonly store: FakeSessionStore;
  readonly online: Set<string>;
  /** `full a`, `aged a 2`, `lost a 2`, `evicted a`, `too large a`, `expired a` */
  readonly told: string[];
  /** null: not synchronised. */
  now: number | null;
  /** As a publish does; resolves when it is stored and handed out. */
  publish(topic: string, payload: string, qos?: Qos): Promise<readonly Outgoing[]>;
  /** `publish 1 q1 #1`, `pubrel #1`, … */
  queued(clientId: string): readonly string[];
}

/** The sessions of a broker, with a store behind them. */
export function brokerSessions(limits: Partial<SessionLimits> = {}, store = new FakeSessionStore()): BrokerSessions {
  let place: Place = 0;
  const told: string[] = [];
  const online = new Set<string>();
  const journal = new SessionJournal(store);
  const sessions = new Sessions({
    limits: { ...LIMITS, ...limits },
    events: {
      isConnected: (clientId) => online.has(clientId),
      onQueueFull: (clientId) => told.push(`full ${clientId}`),
      onAged: (clientId, count) => told.push(`aged ${clientId} ${count}`),
      onLost: (clientId, count) => told.push(`lost ${clientId} ${count}`),
      onReplaced: (clientId) => told.push(`replaced ${clientId}`),
      onEvicted: (clientId) => told.push(`evicted ${clientId}`),
      onTooLarge: (clientId) => told.push(`too large ${clientId}`),
      onExpired: (clientId) => told.push(`expired ${clientId}`),
    },
    journal,
    nextId: () => {
      place += 1;
      return place;
    },
    maySubscribe: (owner, topic) => owner === '' || topic.startsWith(owner),
    now: () => subject.now,
  });
  const subject: BrokerSessions = {
    sessions,
    journal,
    store,
    online,
    told,
    now: 1_000,
    publish: async (topic, text, qos = 1) => {
      place += 1;
      const payload = Buffer.from(text);
      const queued = sessions.messages.queue({ place, topic, payload, qos });
      const copies = queued.map(({ session, entry }) => ({ session: session.id, ...entry }));
      await store.keep({ place, retained: false, qos, at: subject.now ?? 0, copies, topic, payload });
      sessions.messages.stored(queued);
      return queued.map(({ entry }) => entry);
    },
    queued: (clientId) =>
      (sessions.messages.queueOf(clientId)?.list() ?? []).map(({ released, payload, qos, packetId }) =>
        released ? `pubrel #${packetId}` : `publish ${payload} q${qos} #${packetId}`,
      ),
  };
  return subject;
}

/** A client that is connected. */
export class FakeLink implements Link {
  readonly sent: string[] = [];
  room = Number.POSITIVE_INFINITY;

  hasRoom(): boolean {
    return this.sent.length < this.room;
  }

  send(packet: object): void {
    const { cmd, payload, messageId, dup } = packet as {
      cmd: string;
      payload?: Buffer;
      messageId: number;
      dup?: boolean;
    };
    this.sent.push(
      [cmd, payload?.toString(), `#${messageId}`, dup === true ? 'dup' : undefined].filter(Boolean).join(' '),
    );
  }
}
