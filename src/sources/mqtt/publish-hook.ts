import { Buffer } from 'node:buffer';
import type { Acceptance, Intake } from '../../core/ports.ts';
import type { Handshake } from '../../core/record.ts';
import type { Place } from '../../core/session.ts';
import type { Access, Identity } from './access.ts';
import type { AckWatch } from './ack-watch.ts';
import type { Callback, PublishPacket } from './aedes-broker.ts';
import { answerDelayMs } from './answer-delay.ts';
import type { Brake } from './brake.ts';
import type { DenialLog } from './denial-log.ts';
import type { Handshakes } from './handshakes.ts';
import { maxRecordCount } from './max-record-count.ts';
import type { PresenceTracker } from './presence-tracker.ts';
import type { Problems } from './problems.ts';
import type { HeardMessage } from './published-commands.ts';
import type { Pacer } from './rate-limit.ts';
import type { Router } from './router.ts';
import { isValidTopic, levelCount } from './topics.ts';
import { willKey } from './wills.ts';

/** Whose message it is. */
interface Author {
  readonly clientId: string;
  readonly identity: Identity;
  readonly closed: boolean;
  /** Where answers wait; those of a will have nothing to wait for. */
  readonly brake?: Brake;
}

/** A connection that publishes. */
export interface Publisher extends Author {
  readonly pacer: Pacer;
  readonly brake: Brake;
  readonly acks: AckWatch;
}

export interface PublishHookOptions {
  readonly intake: Intake;
  readonly access: Access;
  readonly router: Router;
  readonly handshakes: Handshakes;
  readonly tracker: PresenceTracker;
  readonly denials: DenialLog;
  readonly maxTopicLevels: number;
  readonly problems: Problems;
  /** Told of what was published, before it is stored: who waits for an answer waits for no disk. */
  readonly commands: { heard(message: HeardMessage): void };
}

/** A publication on its way to the intake. */
interface Passing {
  readonly publisher: Author;
  readonly packet: PublishPacket;
  readonly handshake: Handshake | null;
  readonly repeated: boolean;
}

/** What may wait for the store before nobody more is let in; a store that works has far less before it. */
const MAX_WAITING_BYTES = 32 * 1024 * 1024;
/** Of a connection that is gone and still has messages that wait, about: measured, 9 KiB. */
const CONNECTION_BYTES = 12 * 1024;
/** Of a record beside the payload that it came in, about. */
const RECORD_BYTES = 512;

/**
 * Where the acknowledgement waits: aedes writes PUBACK or PUBREC when the callback is called, so it is called only
 * after the message is stored. An error closes the connection without an acknowledgement. What is stored goes to the
 * router from here; a repetition, and what is denied, does not.
 */
export class PublishHook {
  readonly #options: PublishHookOptions;
  #stopped = false;
  #waitingBytes = 0;
  deniedCount = 0;
  localCount = 0;

  constructor(options: PublishHookOptions) {
    this.#options = options;
  }

  /**
   * True when nothing can be stored for so long that much waits. Each connection is held up after a little; but a
   * client that gives up, connects again and sends all again adds to what waits, for as long as the store is full.
   */
  get isOverloaded(): boolean {
    return this.#waitingBytes > MAX_WAITING_BYTES;
  }

  /** From now on nothing is taken and nothing acknowledged. */
  stop(): void {
    this.#stopped = true;
  }

  publish(publisher: Publisher, packet: PublishPacket, done: Callback): void {
    if (this.#stopped) return;
    if (!isValidTopic(packet.topic)) {
      this.#refuse(publisher, 'a topic that is no topic name in UTF-8', done);
      return;
    }
    // [MQTT-2.3.1-1]
    if (packet.qos > 0 && !((packet.messageId ?? 0) > 0)) {
      this.#refuse(publisher, 'a message without a packet id', done);
      return;
    }
    publisher.pacer.run(() => {
      // It was not acknowledged, so the client sends it again; taken now it could come after its own repetition.
      if (publisher.closed && packet.qos > 0) return;
      this.#take(publisher, packet, done);
    });
  }

  /** Its connection is closed, but not forgotten while messages of it wait. */
  gone({ acks }: Publisher): void {
    if (acks.isIdle) return;
    this.#waitingBytes += CONNECTION_BYTES;
    acks.whenIdle(() => {
      this.#waitingBytes -= CONNECTION_BYTES;
    });
  }

  #refuse({ clientId }: Publisher, reason: string, done: Callback): void {
    this.#options.problems.misbehaved(clientId, reason);
    done(new Error(reason));
  }

  /** A stopping gateway is no reason to tell of a device's death. */
  will(publisher: Publisher, packet: PublishPacket, done: Callback): void {
    if (this.#stopped) {
      done(new Error('the gateway stops'));
      return;
    }
    const id = this.#options.router.wills.take(publisher);
    if (id === undefined) this.#pass({ publisher, packet, handshake: null, repeated: false }, done);
    else this.#publishWill({ publisher, packet, id }, done);
  }

  /**
   * Of clients that were connected when the gateway was killed: to be called before clients are served, so that what
   * they send then comes behind. `published`: wills that the log has, but that were not removed any more.
   */
  publishLeftWills(published: ReadonlySet<Place>): void {
    const { wills } = this.#options.router;
    for (const { id, clientId, owner, payload, ...will } of wills.takeLeft()) {
      if (published.has(id)) continue;
      const identity = owner === '' ? null : owner;
      const publisher = { clientId, identity, closed: true };
      const packet = { ...will, payload: Buffer.from(payload), cmd: 'publish', dup: false } as const;
      this.#publishWill({ publisher, packet, id }, () => undefined);
    }
    // Those that are gone from `state.db` too have only their key left.
    for (const id of published) this.#removeWill(id);
  }

  #publishWill({ id, ...will }: Pick<Passing, 'publisher' | 'packet'> & { readonly id: Place }, done: Callback): void {
    this.#pass({ ...will, handshake: willKey(id), repeated: false }, (error) => {
      if (error === undefined || error === null) this.#removeWill(id);
      done(error);
    });
  }

  /** First the will, then the key that tells that it is published: a kill in between finds both, or the key alone. */
  #removeWill(id: Place): void {
    const { router, intake } = this.#options;
    // It can only fail when the store is gone, and the process with it.
    router.wills
      .remove(id)
      .then(() => intake.release(willKey(id).clientId, null))
      .catch(() => undefined);
  }

  #take(publisher: Publisher, packet: PublishPacket, done: Callback): void {
    const { clientId } = publisher;
    const packetId = packet.qos === 2 ? packet.messageId : undefined;
    const handshake = packetId === undefined ? null : { clientId, packetId };
    if (handshake !== null && this.#options.handshakes.isFull(clientId, handshake.packetId)) {
      this.#refuse(publisher, 'too many QoS 2 exchanges are open', done);
      return;
    }
    const repeated = handshake !== null && this.#options.handshakes.open(clientId, handshake.packetId);
    if (packet.qos === 0) this.#pass({ publisher, packet, handshake, repeated }, done);
    else this.#pass({ publisher, packet, handshake, repeated }, publisher.acks.watch(done));
  }

  #pass({ publisher, packet, handshake, repeated }: Passing, done: Callback): void {
    const { identity } = publisher;
    const denial = this.#denial(publisher.identity, packet.topic);
    if (denial !== null) {
      this.#deny(publisher, packet, denial);
      const settled = this.#options.intake.settled();
      this.#wait(settled, packet.payload.length + RECORD_BYTES, () => this.#answer(publisher, 0, done), done);
      return;
    }
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    const { router, intake, commands } = this.#options;
    const { topic, retain, dup } = packet;
    commands.heard({ clientId: publisher.clientId, identity, topic, payload, retain, isRepetition: repeated || dup });
    const prepared = repeated ? null : router.prepare(packet, publisher);
    const keep = prepared?.keep;
    const accepted = intake.accept({ source: 'mqtt', channel: packet.topic, payload, identity, handshake, keep });
    const proceed = (acceptance: Acceptance): void => {
      // Also for a sender that is gone meanwhile: what is stored is handed out.
      if (prepared !== null) {
        if (acceptance.kind === 'duplicate') router.withdraw(prepared);
        else router.deliver(prepared);
      }
      this.#note(publisher, acceptance);
      this.#answer(publisher, answerDelayMs(acceptance, this.#options.tracker.deviceCount(publisher)), done);
    };
    this.#wait(accepted, payload.length + RECORD_BYTES * maxRecordCount(payload), proceed, done);
  }

  /** A `then` and no function that waits: for each message, that would be two promises more. */
  #wait<T>(stored: Promise<T>, bytes: number, proceed: (result: T) => void, fail: Callback): void {
    this.#waitingBytes += bytes;
    stored.then(
      (result) => {
        this.#waitingBytes -= bytes;
        proceed(result);
      },
      (error: Error) => {
        this.#waitingBytes -= bytes;
        fail(error);
      },
    );
  }

  #note(publisher: Author, acceptance: Acceptance): void {
    if (acceptance.kind === 'local') this.localCount += 1;
    if (acceptance.kind === 'accepted' && !publisher.closed) {
      this.#options.tracker.speaks(publisher, acceptance.device);
    }
  }

  /** In the order of receipt [MQTT-4.6.0-2]. While answers wait, aedes reads on only until so many are due. */
  #answer({ brake, closed }: Author, delayMs: number, done: Callback): void {
    if (brake === undefined || closed) this.#proceed(done);
    else brake.run(delayMs, () => this.#proceed(done));
  }

  #denial(identity: Identity, topic: string): 'not_allowed' | 'too_many_levels' | null {
    if (levelCount(topic) > this.#options.maxTopicLevels) return 'too_many_levels';
    return this.#options.access.mayPublish(identity, topic) ? null : 'not_allowed';
  }

  #deny({ clientId, identity }: Author, packet: PublishPacket, reason: 'not_allowed' | 'too_many_levels'): void {
    this.deniedCount += 1;
    this.#options.denials.denied({ action: 'publish', clientId, identity, topic: packet.topic, reason });
  }

  /** What aedes throws must not end in a promise that nobody looks at. */
  #proceed(done: Callback): void {
    try {
      done();
    } catch (error) {
      this.#options.problems.internal(error);
    }
  }
}
