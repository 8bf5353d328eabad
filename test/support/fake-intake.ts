import { type NumberedFrame, numberedFrame } from '../../src/core/frame-key.ts';
import type { Acceptance, FrameIntake, Message, Overrun } from '../../src/core/ports.ts';
import type { Handshake } from '../../src/core/record.ts';
import type { FakeSessionStore } from './fake-session-store.ts';

interface Entry {
  readonly commit: () => void;
  readonly fail: (error: Error) => void;
}

/**
 * A door that stores in memory: everything that waits is "committed" together at the end of the turn, in the order
 * of the calls. Can be held, so that nothing becomes durable, and thrown away like a process that is killed.
 */
export class FakeIntake implements FrameIntake {
  /** What was stored, duplicates left out, refused and local messages included. */
  readonly stored: { readonly kind: Acceptance['kind']; readonly topic: string; readonly payload: string }[] = [];
  /** Who sent what was asked for, in the order of the calls. */
  readonly senders: Message['identity'][] = [];
  /** In the order of the calls: `accept {payload}`, `settled`, `release {client id} {packet id}`. */
  readonly calls: string[] = [];
  /** Payloads that nobody waits for. */
  readonly lingering: string[] = [];
  /** Topics that no route knows. */
  isLocal: (topic: string) => boolean = (topic) => !/^devices\/[^/]+\/./.test(topic);
  /** The reason why a payload is refused. */
  refusal: (payload: string) => string | undefined = () => undefined;
  /** How long the acknowledgement is to wait for the rate of the device. */
  rateWaitMs: (payload: string) => number = () => 0;
  /** Why a request is to be sent again later. */
  postponed: Pick<Extract<Acceptance, { kind: 'postponed' }>, 'reason' | 'waitMs'> | undefined;
  /** The number of a frame from a serial port. */
  frameNumber: (payload: string) => number | undefined = () => undefined;
  /** Frames of serial ports that found no room to wait. */
  readonly overruns: (Overrun & { readonly channel: string })[] = [];
  /** Where it keeps what the broker keeps, when it is given one. */
  sessions: FakeSessionStore | undefined;
  readonly #handshakes = new Set<string>();
  readonly #keys = new Map<string, { readonly fingerprint: string; readonly firstSeq: number }>();
  #waiting: Entry[] = [];
  #held = false;
  #armed = false;
  #seq = 0;

  accept(message: Message): Promise<Acceptance> {
    this.calls.push(`accept ${Buffer.from(message.payload)}`);
    this.senders.push(message.identity);
    if (message.mayLinger === true) this.lingering.push(Buffer.from(message.payload).toString());
    return this.#commit(() => this.#store(message));
  }

  settled(): Promise<void> {
    this.calls.push('settled');
    return this.#commit(() => undefined);
  }

  release(clientId: string, packetId: number | null): Promise<void> {
    this.calls.push(`release ${clientId} ${packetId ?? 'all'}`);
    return this.#commit(() => {
      for (const key of this.#handshakes) {
        const open = parse(key);
        if (open.clientId === clientId && (packetId === null || open.packetId === packetId))
          this.#handshakes.delete(key);
      }
    });
  }

  deviceOf(channel: string): string | null {
    return channel.split('/')[1] ?? null;
  }

  overrun(channel: string, overrun: Overrun): Promise<void> {
    this.calls.push(`overrun ${overrun.count}`);
    return this.#commit(() => {
      this.overruns.push({ channel, ...overrun });
    });
  }

  /** From now on nothing is committed. */
  hold(): void {
    this.#held = true;
  }

  /** Commits the first `count` entries that wait, or all of them, and then goes on as before. */
  letGo(count = Number.POSITIVE_INFINITY): void {
    for (const { commit } of this.#waiting.splice(0, count)) commit();
    if (count === Number.POSITIVE_INFINITY) this.#held = false;
  }

  /** The store is gone: what waits is rejected. */
  fail(error: Error): void {
    for (const { fail } of this.#waiting.splice(0)) fail(error);
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  openHandshakes(): readonly Handshake[] {
    return [...this.#handshakes].map(parse);
  }

  payloads(): readonly string[] {
    return this.stored.map(({ payload }) => payload);
  }

  #commit<T>(work: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#waiting.push({ commit: () => resolve(work()), fail: reject });
    if (!this.#armed) {
      this.#armed = true;
      setImmediate(() => this.#flush());
    }
    return promise;
  }

  #flush(): void {
    this.#armed = false;
    if (!this.#held) for (const { commit } of this.#waiting.splice(0)) commit();
  }

  #store(message: Message): Acceptance {
    const { channel, payload } = message;
    const text = Buffer.from(payload).toString();
    const acceptance = this.#known(message) ?? this.#judge(message, text);
    const { idempotency, keep } = message;
    const kept = keep && { ...keep, topic: channel, payload };
    if (acceptance.kind !== 'duplicate' && kept !== undefined) void this.sessions?.keep(kept);
    if (acceptance.kind === 'accepted' && idempotency !== undefined) {
      const fingerprint = Buffer.from(idempotency.fingerprint).toString('hex');
      this.#keys.set(`${acceptance.device} ${idempotency.key}`, { fingerprint, firstSeq: acceptance.firstSeq });
    }
    if (['accepted', 'refused', 'local'].includes(acceptance.kind))
      this.stored.push({ kind: acceptance.kind, topic: channel, payload: text });
    return acceptance;
  }

  /** What a request with a known idempotency key becomes. */
  #known({ channel, idempotency }: Message): Acceptance | undefined {
    const device = channel.split('/')[1] ?? '';
    const known = this.#keys.get(`${device} ${idempotency?.key}`);
    if (idempotency === undefined || known === undefined) return undefined;
    const isSame = known.fingerprint === Buffer.from(idempotency.fingerprint).toString('hex');
    return isSame ? { kind: 'repeated', device, firstSeq: known.firstSeq, count: 1 } : { kind: 'key_reused', device };
  }

  #judge(message: Message, payload: string): Acceptance {
    const topic = message.channel;
    if (message.source !== 'serial' && this.isLocal(topic)) return { kind: 'local' };
    const reason = this.refusal(payload);
    if (reason !== undefined) return { kind: 'refused', reason };
    const device = topic.split('/')[1] ?? '';
    if (this.postponed !== undefined) return { kind: 'postponed', device, ...this.postponed };
    const number = this.frameNumber(payload);
    const frame = number === undefined ? undefined : numberedFrame(topic, number, message.payload);
    const handshake = frame?.key ?? message.handshake;
    const told: { readonly frame?: NumberedFrame } = frame === undefined ? {} : { frame };
    if (handshake !== null) {
      const key = JSON.stringify([handshake.clientId, handshake.packetId]);
      if (this.#handshakes.has(key)) return { kind: 'duplicate', device, ...told };
      this.#handshakes.add(key);
    }
    this.#seq += 1;
    const waitMs = this.rateWaitMs(payload);
    const slow = waitMs === 0 ? {} : { slow: { reason: 'rate', waitMs } as const };
    return { kind: 'accepted', device, firstSeq: this.#seq, count: 1, ...slow, ...told };
  }
}

function parse(key: string): Handshake {
  const [clientId, packetId] = JSON.parse(key) as [string, number];
  return { clientId, packetId };
}
