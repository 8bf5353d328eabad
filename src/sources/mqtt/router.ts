import { Buffer } from 'node:buffer';
import type { Keep, Place, StoredWill } from '../../core/session.ts';
import type { SessionStore } from '../../core/state-store.ts';
import type { Identity } from './access.ts';
import { Hub } from './hub.ts';
import { LIMITS } from './options.ts';
import type { LocalPacket, Qos } from './packet.ts';
import type { Problems } from './problems.ts';
import { QueueRestorer } from './queue-restorer.ts';
import { RetainedMessages } from './retained.ts';
import { BROKER } from './retained-room.ts';
import type { Queued } from './session.ts';
import { SessionJournal } from './session-journal.ts';
import { type SessionRules, sessionEvents, sessionLimits } from './session-rules.ts';
import { Sessions, type SessionsOptions } from './sessions.ts';
import { Wills } from './wills.ts';

/** What is published, by a client or by the broker itself. */
export interface Publication {
  readonly topic: string;
  readonly payload?: string | Buffer;
  readonly qos?: Qos;
  readonly retain?: boolean;
}

/** A publication that has its place in queues and among retained messages, and waits until that is on disk. */
export interface Prepared {
  /** What is to be stored for it; usually nothing. */
  readonly keep: Keep | undefined;
  readonly message: Message;
  readonly queued: readonly Queued[];
  /** What its topic is to have from then on; without payload: nothing. */
  readonly retained: Message | undefined;
}

export interface Sender {
  readonly clientId: string;
  readonly identity: Identity;
}

type Message = Pick<LocalPacket, 'topic' | 'payload' | 'qos' | 'retain' | 'clientId'>;

export interface RouterOptions extends SessionRules {
  readonly brokerId: string;
  readonly store: SessionStore;
  /** Names wills in the log: none up to here is given out again. */
  readonly lastWill?: Place;
  /** Milliseconds since 1970; null while the clock is not synchronised. */
  readonly now: () => number | null;
  readonly maySubscribe: SessionsOptions['maySubscribe'];
}

/** Sessions with a thousand long filters each are a large page, and wills of 16 KiB. */
const SESSION_PAGE = 10;
const WILL_PAGE = 100;
const SWEEP_MS = 60_000;
const NOTHING = Buffer.alloc(0);
const NOBODY: ReadonlySet<string> = new Set();

/**
 * Local delivery, in the place of aedes' own `publish`, which goes through a different number of asynchronous steps
 * for each QoS and for retained messages. They overtake each other there, and what comes late is then taken for a
 * repetition and lost. Here a publication takes its places when it comes, and everything else is done at once, when
 * it is stored.
 */
export class Router {
  readonly hub = new Hub();
  readonly retained: RetainedMessages;
  readonly sessions: Sessions;
  readonly wills: Wills;
  readonly #store: SessionStore;
  readonly #journal: SessionJournal;
  readonly #brokerId: string;
  readonly #problems: Problems;
  readonly #now: () => number | null;
  /** Who gets the message that is being handed out through a queue. */
  #queuedFor = NOBODY;
  #lastPlace: Place;
  #counter = 0;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: RouterOptions) {
    this.#brokerId = options.brokerId;
    this.#problems = options.problems;
    this.#store = options.store;
    this.#now = options.now;
    this.#lastPlace = options.lastWill ?? 0;
    this.#journal = new SessionJournal(options.store);
    this.retained = new RetainedMessages({
      maxTopics: LIMITS.retainedTopics,
      maxBytes: LIMITS.retainedBytes,
      maxOwnTopics: LIMITS.retainedStatusTopics,
    });
    this.sessions = new Sessions({
      limits: sessionLimits(options),
      events: sessionEvents(options),
      journal: this.#journal,
      nextId: () => this.#nextPlace(),
      maySubscribe: options.maySubscribe,
      now: options.now,
    });
    this.wills = new Wills({
      limits: { maxCount: LIMITS.wills, maxBytes: LIMITS.willBytes, maxOwnBytes: LIMITS.willBytesPerDevice },
      journal: this.#journal,
      nextId: () => this.#nextPlace(),
      onFull: (clientId) => options.problems.willsFull(clientId),
    });
  }

  /** Sessions, their queues and the wills that were left are there when it resolves; retained messages follow while clients are served. */
  async start(): Promise<void> {
    this.#lastPlace = Math.max(this.#lastPlace, await this.#store.lastPlace());
    await this.#loadSessions();
    await this.#loadWills();
    await new QueueRestorer(this.#store, this.sessions.messages).start();
    // It can only fail when the store is gone, and the process with it.
    this.retained.restore(this.#store, (topic) => this.#notRetained(topic)).catch(() => undefined);
    this.#sweeper = setInterval(() => this.sessions.sweep(), SWEEP_MS).unref();
  }

  async #loadSessions(): Promise<void> {
    let lastId = 0;
    for (;;) {
      const page = await this.#store.loadSessions(lastId, SESSION_PAGE);
      this.sessions.restore(page);
      const last = page.at(-1);
      if (last === undefined) break;
      lastId = last.id;
    }
    this.sessions.restored();
  }

  async #loadWills(): Promise<void> {
    for (let last: Place | undefined = 0; last !== undefined; ) {
      const page: readonly StoredWill[] = await this.#store.loadWills(last, WILL_PAGE);
      this.wills.restore(page);
      last = page.at(-1)?.id;
    }
  }

  /** Resolves when everything about sessions is on disk. */
  async stop(): Promise<void> {
    clearInterval(this.#sweeper);
    await this.#journal.stop();
  }

  /** In the order of receipt, before the publication is stored. `sender`: null for the broker itself. */
  prepare({ topic, payload = '', qos = 0, retain = false }: Publication, sender: Sender | null): Prepared {
    this.#journal.ride();
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const message = { topic, payload: bytes, qos, retain, clientId: sender?.clientId ?? null };
    const hasRoom = retain && this.#takeRoom(message, sender);
    const isKept = hasRoom && sender !== null;
    const retained = retain ? { ...message, payload: hasRoom ? bytes : NOTHING } : undefined;
    const place = this.#lastPlace + 1;
    const queued = this.sessions.messages.queue({ place, topic, payload: bytes, qos });
    if (!isKept && queued.length === 0) return { keep: undefined, message, queued, retained };
    this.#lastPlace = place;
    const copies = queued.map(({ session, entry }) => ({
      session: session.id,
      packetId: entry.packetId,
      qos: entry.qos,
    }));
    return { keep: { place, retained: isKept, qos, at: this.#now() ?? 0, copies }, message, queued, retained };
  }

  /** It is on disk: out it goes. In the order of `prepare`. */
  deliver({ message, queued, retained }: Prepared): void {
    if (retained !== undefined) this.retained.put(retained);
    this.#queuedFor = queued.length === 0 ? NOBODY : this.sessions.messages.stored(queued);
    this.hub.emit(this.#stamp(message));
    this.#queuedFor = NOBODY;
  }

  /** It was a repetition: nothing of it is stored, and nothing goes out. */
  withdraw({ queued }: Prepared): void {
    this.sessions.messages.withdraw(queued);
  }

  /** Whether a client gets the message that the hub hands out right now through the queue of its session. */
  isQueuedFor(clientId: string): boolean {
    return this.#queuedFor.has(clientId);
  }

  /** What the broker says by itself; its retained messages live in memory, because each start tells them anew. */
  publish(publication: Publication): void {
    const { retained, ...rest } = this.prepare(publication, null);
    const prepared = { ...rest, retained: undefined };
    const { keep, message } = prepared;
    if (retained !== undefined) this.retained.put(retained);
    if (keep === undefined) this.deliver(prepared);
    // It can only fail when the store is gone, and the process with it.
    else this.#store.keep({ ...keep, ...message }).then(() => this.deliver(prepared), ignore);
  }

  /** Tells, and keeps for later subscribers, whether a device is there. */
  announce(device: string, status: 'online' | 'offline'): void {
    this.publish({ topic: `devices/${device}/status`, payload: status, qos: 1, retain: true });
  }

  #takeRoom({ topic, payload }: Message, sender: Sender | null): boolean {
    const hasRoom = this.retained.take({ topic, payload, owner: sender === null ? BROKER : sender.identity });
    if (!hasRoom) this.#notRetained(topic);
    return hasRoom;
  }

  /** There was no room: what the topic had before must not come back with the next start. */
  #notRetained(topic: string): void {
    this.#problems.retainedFull(topic);
    const nothing = { retained: true, qos: 0, at: 0, copies: [], payload: NOTHING } as const;
    this.#store.keep({ ...nothing, topic, place: this.#nextPlace() }).catch(ignore);
  }

  #nextPlace(): Place {
    this.#lastPlace += 1;
    return this.#lastPlace;
  }

  #stamp(message: Message): LocalPacket {
    this.#counter += 1;
    return { ...message, cmd: 'publish', brokerId: this.#brokerId, brokerCounter: this.#counter, dup: false };
  }
}

function ignore(): void {}
