import { type AcceptanceClock, acceptedNow } from '../core/acceptance.ts';
import type { Acceptance, Appended, Intake, LogWriter, Message, Restraint } from '../core/ports.ts';
import type { NewRecord } from '../core/record.ts';
import type { RouteOptions } from '../core/route.ts';
import type { KeptMessage } from '../core/session.ts';
import type { Observation } from '../core/views.ts';
import type { Draft } from './decode.ts';
import type { DeviceRates } from './device-rates.ts';
import { asBuffer, judge } from './judge.ts';
import { RouteTable } from './routes/route-table.ts';
import type { Shares, ShareVerdict } from './shares.ts';

export interface IngestOptions {
  readonly log: LogWriter;
  /** For MQTT topics outside the default namespace. */
  readonly routes: readonly RouteOptions[];
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

/** The door: message → record. Route, decode, validate, store; the answer is what may be acknowledged. */
export class Ingest implements Intake {
  readonly #options: IngestOptions;
  readonly #routes: RouteTable;

  constructor(options: IngestOptions) {
    this.#options = options;
    this.#routes = new RouteTable(options.routes);
  }

  accept(message: Message): Promise<Acceptance> {
    const judgement = judge(message, this.#routes, this.#options.clock);
    switch (judgement.kind) {
      case 'local':
        return this.#leave(message);
      case 'refused':
        return this.#refuse(message, judgement.reason);
      case 'good':
        return this.#pass(message, judgement.device, judgement.drafts);
    }
  }

  async settled(): Promise<void> {
    await this.#options.log.append({ kind: 'barrier' });
  }

  async release(clientId: string, packetId: number | null): Promise<void> {
    await this.#options.log.append({ kind: 'release', clientId, packetId });
  }

  /** Fairness is decided here, before anything becomes a record. */
  #pass(message: Message, device: string, drafts: readonly Draft[]): Promise<Acceptance> {
    const bytes = drafts.reduce((sum, { value }) => sum + value.byteLength, 0);
    const { shares, rates, log } = this.#options;
    const verdict = shares.judge(device, bytes, log.room);
    const hold = holdOf(verdict, rates.waitMs(device));
    if (hold !== undefined && message.source === 'http') {
      return Promise.resolve({ kind: 'postponed', device, ...hold });
    }
    rates.count(device);
    if (verdict.kind === 'refused') return this.#refuseShare(message, device, drafts);
    shares.count(device, bytes);
    return this.#store(message, device, drafts, hold);
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

  async #store(message: Message, device: string, drafts: readonly Draft[], slow?: Hold): Promise<Acceptance> {
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
    const { handshake } = message;
    const idempotency = message.idempotency && { device, ...message.idempotency };
    const keep = keptOf(message, records);
    const appended = await this.#options.log.append({ kind: 'records', records, handshake, idempotency, keep });
    const { firstSeq, duplicate, keyReused = false } = appended;
    const count = records.length;
    if (keyReused) return { kind: 'key_reused', device };
    if (duplicate)
      return handshake === null ? { kind: 'repeated', device, firstSeq, count } : { kind: 'duplicate', device };
    this.#tell(appended, { device, receivedAt }, drafts);
    return { kind: 'accepted', device, firstSeq, count, ...(slow && { slow }) };
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
  async #refuseShare(message: Message, device: string, drafts: readonly Draft[]): Promise<Acceptance> {
    const [first] = drafts;
    // A batch without records is no loss.
    if (first === undefined) return await this.#store(message, device, drafts);
    const bytes = drafts.reduce((sum, { value }) => sum + value.byteLength, 0);
    const receivedAt = this.#options.clock.now();
    const share = { stream: first.stream, device, count: drafts.length, bytes, receivedAt };
    const entry = { kind: 'over_share', share, handshake: message.handshake, keep: keptOf(message) } as const;
    if ((await this.#options.log.append(entry)).duplicate) return { kind: 'duplicate', device };
    this.#options.onRefused(message, 'share');
    return { kind: 'refused', reason: 'share' };
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
