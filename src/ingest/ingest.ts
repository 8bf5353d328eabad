import { type AcceptanceClock, acceptedNow } from '../core/acceptance.ts';
import { type NumberedFrame, numberedFrame } from '../core/frame-key.ts';
import type { Acceptance, Appended, FrameIntake, LogWriter, Message, Overrun, Restraint } from '../core/ports.ts';
import type { Handshake, NewRecord } from '../core/record.ts';
import type { RouteOptions } from '../core/route.ts';
import type { KeptMessage } from '../core/session.ts';
import type { Observation } from '../core/views.ts';
import type { Draft } from './decode.ts';
import type { DeviceRates } from './device-rates.ts';
import { asBuffer, type Judgement, judge } from './judge.ts';
import { fixedDevice } from './routes/convert.ts';
import { RouteTable } from './routes/route-table.ts';
import type { Shares, ShareVerdict } from './shares.ts';

export interface IngestOptions {
  readonly log: LogWriter;
  /** For MQTT topics outside the default namespace. */
  readonly routes: readonly RouteOptions[];
  /** For the channels of serial ports. */
  readonly serialRoutes?: readonly RouteOptions[];
  readonly clock: AcceptanceClock;
  readonly shares: Shares;
  readonly rates: DeviceRates;
  /** Called with the records of a message once they are on disk, in the order of the log. Must not throw. */
  readonly onAccepted: (observations: readonly Observation[]) => void;
  /** Called for every refused message once it is kept aside, or counted. */
  readonly onRefused: (message: Message, reason: string) => void;
}

/** Why a device is held back, and for how long. */
interface Hold {
  readonly reason: Restraint;
  readonly waitMs: number;
}

const LOCAL: Acceptance = { kind: 'local' };

/** A message that was found good. */
interface Good {
  readonly message: Message;
  readonly device: string;
  readonly drafts: readonly Draft[];
  readonly handshake: Handshake | null;
  /** To be told with what became of it. */
  readonly frame?: { readonly frame: NumberedFrame };
}

function goodOf(message: Message, { device, drafts, frame }: Extract<Judgement, { kind: 'good' }>): Good {
  if (frame === undefined) return { message, device, drafts, handshake: message.handshake };
  const numbered = numberedFrame(message.channel, frame, message.payload);
  return { message, device, drafts, handshake: numbered.key, frame: { frame: numbered } };
}

/** The door: message → record. Route, decode, validate, store; the answer is what may be acknowledged. */
export class Ingest implements FrameIntake {
  readonly #options: IngestOptions;
  readonly #routes: RouteTable;
  readonly #serialRoutes: RouteTable;

  constructor(options: IngestOptions) {
    this.#options = options;
    this.#routes = new RouteTable(options.routes);
    this.#serialRoutes = new RouteTable(options.serialRoutes ?? []);
  }

  accept(message: Message): Promise<Acceptance> {
    const routes = message.source === 'serial' ? this.#serialRoutes : this.#routes;
    const judgement = judge(message, routes, this.#options.clock);
    switch (judgement.kind) {
      case 'local':
        return this.#leave(message);
      case 'refused':
        return this.#refuse(message, judgement.reason);
      case 'good':
        return this.#pass(goodOf(message, judgement));
    }
  }

  async settled(): Promise<void> {
    await this.#options.log.append({ kind: 'barrier' });
  }

  async release(clientId: string, packetId: number | null): Promise<void> {
    await this.#options.log.append({ kind: 'release', clientId, packetId });
  }

  deviceOf(channel: string): string | null {
    const match = this.#serialRoutes.find(channel);
    return match === undefined ? null : fixedDevice(match);
  }

  async overrun(channel: string, overrun: Overrun): Promise<void> {
    const match = this.#serialRoutes.find(channel);
    if (match === undefined) return;
    const { stream } = match.route.options;
    const untaken = { reason: 'overrun', stream, device: fixedDevice(match) ?? '', ...overrun } as const;
    await this.#options.log.append({ kind: 'untaken', untaken, handshake: null });
  }

  /** Fairness is decided here, before anything becomes a record. */
  #pass(good: Good): Promise<Acceptance> {
    const { message, device, drafts } = good;
    const bytes = drafts.reduce((sum, { value }) => sum + value.byteLength, 0);
    const { shares, rates, log } = this.#options;
    const verdict = shares.judge(device, bytes, log.room);
    const hold = holdOf(verdict, rates.waitMs(device));
    if (hold !== undefined && message.source === 'http') {
      return Promise.resolve({ kind: 'postponed', device, ...hold });
    }
    rates.count(device);
    if (verdict.kind === 'refused') return this.#refuseShare(good);
    shares.count(device, bytes);
    return this.#store(good, hold);
  }

  // Async like its siblings and not a `.then`, which would resolve behind the next message of the same commit.
  async #leave(message: Message): Promise<Acceptance> {
    const { handshake, keep } = message;
    if (keep === undefined) {
      await this.#options.log.append({ kind: 'barrier' });
      return LOCAL;
    }
    const entry = { kind: 'records', records: [], handshake, keep: keptOf(message) } as const;
    const { duplicate } = await this.#options.log.append(entry);
    return duplicate ? { kind: 'duplicate', device: null } : LOCAL;
  }

  async #store({ message, device, drafts, handshake, frame }: Good, slow?: Hold): Promise<Acceptance> {
    const { receivedAt, timeQuality, bootTime } = acceptedNow(this.#options.clock);
    const records: NewRecord[] = drafts.map(({ stream, observedAt, contentType, eventType, value }) => ({
      stream,
      device,
      receivedAt,
      observedAt,
      timeQuality,
      bootTime,
      contentType,
      eventType,
      channel: message.channel,
      value,
    }));
    const idempotency = message.idempotency && { device, ...message.idempotency };
    const keep = keptOf(message, records);
    const { mayLinger } = message;
    const entry = { kind: 'records', records, handshake, idempotency, keep, mayLinger } as const;
    const appended = await this.#options.log.append(entry);
    const { firstSeq, duplicate, keyReused = false } = appended;
    const count = records.length;
    if (keyReused) return { kind: 'key_reused', device };
    if (duplicate)
      return handshake === null
        ? { kind: 'repeated', device, firstSeq, count }
        : { kind: 'duplicate', device, ...frame };
    this.#tell(appended, { device, receivedAt }, drafts);
    return { kind: 'accepted', device, firstSeq, count, ...(slow && { slow }), ...frame };
  }

  #tell({ firstSeq }: Appended, about: { device: string; receivedAt: number }, drafts: readonly Draft[]): void {
    const observations = drafts.map(({ observedAt, metrics, units }, i) => ({
      device: about.device,
      receivedAt: about.receivedAt,
      observedAt,
      seq: firstSeq + i,
      metrics,
      units,
    }));
    this.#options.onAccepted(observations);
  }

  /** In the transaction that it is acknowledged by it is counted, to be reported to every uplink. */
  async #refuseShare(good: Good): Promise<Acceptance> {
    const { message, device, drafts, handshake, frame } = good;
    const [first] = drafts;
    // A batch without records is no loss.
    if (first === undefined) return await this.#store(good);
    const bytes = drafts.reduce((sum, { value }) => sum + value.byteLength, 0);
    const receivedAt = this.#options.clock.now();
    const at = { firstAt: receivedAt, lastAt: receivedAt };
    const untaken = { reason: 'share', stream: first.stream, device, count: drafts.length, bytes, ...at } as const;
    const entry = { kind: 'untaken', untaken, handshake, keep: keptOf(message) } as const;
    if ((await this.#options.log.append(entry)).duplicate) return { kind: 'duplicate', device, ...frame };
    this.#options.onRefused(message, 'share');
    return { kind: 'refused', reason: 'share', ...frame };
  }

  async #refuse(message: Message, reason: string): Promise<Acceptance> {
    const { source, channel, payload, handshake } = message;
    const refused = { source, reason, channel, receivedAt: this.#options.clock.now(), payload };
    const keep = keptOf(message);
    // Counted and told once, but a repetition cannot be recognised without what is kept of it.
    const entry = {
      kind: 'refused',
      message: refused,
      handshake: keep === undefined ? null : handshake,
      keep,
    } as const;
    if ((await this.#options.log.append(entry)).duplicate) return { kind: 'duplicate', device: null };
    this.#options.onRefused(message, reason);
    return { kind: 'refused', reason };
  }
}

/** What takes longer. */
function holdOf(verdict: ShareVerdict, rateWaitMs: number): Hold | undefined {
  const shareWaitMs = verdict.kind === 'within' ? 0 : verdict.waitMs;
  if (shareWaitMs === 0 && rateWaitMs === 0) return undefined;
  if (shareWaitMs > rateWaitMs) return { reason: 'share', waitMs: shareWaitMs };
  return { reason: 'rate', waitMs: rateWaitMs };
}

/** What the broker keeps, without its payload when that is the only record, byte for byte. */
function keptOf({ channel, payload, keep }: Message, records: readonly NewRecord[] = []): KeptMessage | undefined {
  if (keep === undefined) return undefined;
  const [only] = records;
  const isRecord = records.length === 1 && only?.channel === channel && asBuffer(only.value).equals(payload);
  return { ...keep, topic: channel, payload: isRecord ? null : payload };
}
