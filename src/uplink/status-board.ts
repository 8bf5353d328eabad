import type { SluiceError } from '../core/errors.ts';
import type { LaneId } from '../core/lane-log.ts';
import type { LinkState, LinkStatus } from '../core/upstream.ts';
import type { Logger } from '../platform/logger.ts';
import { RepeatSummary } from '../platform/repeat-summary.ts';
import { RateMeter } from './rate-meter.ts';

/** Failed attempts of one kind are told at once, and then summed up so often. */
const REPEAT_INTERVAL_MS = 600_000;
const PUBLISH_INTERVAL_MS = 1_000;

interface Fault {
  readonly error: SluiceError;
  readonly retryAt: number;
}

interface LaneFault extends Fault {
  readonly lane: LaneId;
  /** Nothing is wrong: the lane waits because it is told to. */
  readonly isWait: boolean;
}

/** Where the uplink as a whole is; a lane's fault shows only when it is `open`. */
type Phase = 'waiting_for_clock' | 'connecting' | 'open' | 'paused' | 'stopped';

export interface StatusBoardOptions {
  readonly logger: Logger;
  readonly publish: (status: LinkStatus) => void;
  /** UTC milliseconds. */
  readonly now?: () => number;
}

/** Sums up one uplink's link and lanes in a `LinkStatus`, and logs every change of state once. */
export class StatusBoard {
  readonly #logger: Logger;
  readonly #publish: (status: LinkStatus) => void;
  readonly #now: () => number;
  readonly #repeats: RepeatSummary;
  readonly #rate = new RateMeter(() => performance.now());
  readonly #byteRate = new RateMeter(() => performance.now());
  /** By the name of the lane. */
  readonly #laneFaults = new Map<string, LaneFault>();
  #phase: Phase = 'connecting';
  #linkFault: Fault | undefined;
  #since: number;
  #lastDeliveredAt: number | null = null;
  #failureCount = 0;
  #deliveredCount = 0;
  #status: LinkStatus;
  #timer: NodeJS.Timeout | undefined;

  constructor({ logger, publish, now = Date.now }: StatusBoardOptions) {
    this.#logger = logger;
    this.#publish = publish;
    this.#now = now;
    this.#repeats = new RepeatSummary({ logger, intervalMs: REPEAT_INTERVAL_MS });
    this.#since = now();
    this.#status = this.#compute();
  }

  get status(): LinkStatus {
    return this.#status;
  }

  /** Records delivered since the start. */
  get deliveredCount(): number {
    return this.#deliveredCount;
  }

  /** Publishes once, and from then on whenever something changes, the rate at most once a second. */
  start(): void {
    this.#timer = setInterval(() => this.#refresh(), PUBLISH_INTERVAL_MS).unref();
    this.#publish(this.#status);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.enter('stopped');
    this.#repeats.stop();
  }

  enter(phase: Phase): void {
    this.#phase = phase;
    this.#linkFault = undefined;
    if (phase !== 'open') this.#laneFaults.clear();
    this.#refresh();
  }

  linkFailed(error: SluiceError, delayMs: number): void {
    this.#linkFault = this.#fault(error, delayMs, {});
    this.#refresh();
  }

  laneFailed(lane: LaneId, error: SluiceError, delayMs: number): void {
    const fault = this.#fault(error, delayMs, { lane: laneName(lane) });
    this.#laneFaults.set(laneName(lane), { ...fault, lane, isWait: false });
    this.#refresh();
  }

  /** The lane sends nothing until then, in UTC milliseconds: a limit that somebody set says so. */
  laneWaits(lane: LaneId, error: SluiceError, until: number): void {
    const fields = { lane: laneName(lane), code: error.code, reason: error.message };
    this.#repeats.warn(error.code, fields, 'uplink waits');
    this.#laneFaults.set(laneName(lane), { lane, error, retryAt: until, isWait: true });
    this.#refresh();
  }

  /** Everything that the lane could send is sent. */
  laneWorks(lane: LaneId): void {
    if (this.#laneFaults.delete(laneName(lane))) this.#refresh();
  }

  delivered(lane: LaneId, count: number): void {
    if (count === 0) return;
    if (lane.range?.kind !== 'replay') this.#rate.add(count);
    this.#deliveredCount += count;
    this.#lastDeliveredAt = this.#now();
  }

  /** Of a metered link: so many bytes go on the wire. */
  sent(lane: LaneId, bytes: number): void {
    if (lane.range?.kind !== 'replay') this.#byteRate.add(bytes);
  }

  #fault(error: SluiceError, delayMs: number, where: object): Fault {
    this.#failureCount += 1;
    const fields = { ...where, code: error.code, reason: error.message, hint: error.hint, retryInMs: delayMs };
    this.#repeats.warn(error.code, fields, 'uplink attempt failed');
    return { error, retryAt: this.#now() + delayMs };
  }

  #refresh(): void {
    const before = this.#status;
    const state = this.#state();
    if (state !== before.state) this.#since = this.#now();
    const status = this.#compute();
    if (isSame(before, status)) return;
    this.#status = status;
    if (state !== before.state) this.#logChange(before, status);
    this.#publish(status);
  }

  #compute(): LinkStatus {
    const [lane, fault] = this.#worstFault() ?? this.#wait() ?? [];
    return {
      state: this.#state(),
      reason: fault === undefined ? this.#phaseReason() : reasonOf(fault.error, lane),
      code: fault === undefined ? this.#phaseCode() : fault.error.code,
      since: this.#since,
      retryAt: fault?.retryAt ?? null,
      lastDeliveredAt: this.#lastDeliveredAt,
      rate: this.#rate.perSecond(),
      byteRate: this.#byteRate.perSecond(),
    };
  }

  #state(): LinkState {
    if (this.#phase === 'paused' || this.#phase === 'stopped') return this.#phase;
    const fault = this.#worstFault()?.[1];
    if (fault !== undefined) return fault.error.retryable ? 'down' : 'blocked';
    return this.#phase === 'open' ? 'up' : 'connecting';
  }

  /** What needs people comes first. */
  #worstFault(): readonly [LaneId | undefined, Fault] | undefined {
    if (this.#linkFault !== undefined) return [undefined, this.#linkFault];
    const faults = [...this.#laneFaults.values()].filter(({ isWait }) => !isWait);
    const worst = faults.find(({ error }) => !error.retryable) ?? faults[0];
    return worst === undefined ? undefined : [worst.lane, worst];
  }

  #wait(): readonly [LaneId, Fault] | undefined {
    const [first] = this.#phase === 'open' ? [...this.#laneFaults.values()].filter(({ isWait }) => isWait) : [];
    return first === undefined ? undefined : [first.lane, first];
  }

  #phaseReason(): string | null {
    if (this.#phase === 'waiting_for_clock') return 'waits for the first time synchronisation (clock.waitForSync)';
    return this.#phase === 'paused' ? 'paused by an operator; resume it to go on' : null;
  }

  #phaseCode(): string | null {
    return this.#phase === 'waiting_for_clock' ? this.#phase : null;
  }

  /** `down` has its line already: the failed attempt. */
  #logChange(before: LinkStatus, { state, code, reason }: LinkStatus): void {
    const fields = { state, previousState: before.state, forMs: this.#since - before.since };
    if (state === 'blocked') this.#logger.error({ ...fields, code, reason }, 'uplink is blocked until it is mended');
    if (state === 'paused' || state === 'stopped') this.#logger.info(fields, 'uplink changed state');
    if (state !== 'up') return;
    this.#repeats.stop();
    this.#logger.info({ ...fields, failedAttemptCount: this.#failureCount }, 'uplink is up');
    this.#failureCount = 0;
  }
}

function reasonOf({ message, hint }: SluiceError, lane: LaneId | undefined): string {
  const text = hint === undefined ? message : `${message}: ${hint}`;
  return lane === undefined ? text : `${laneName(lane)}: ${text}`;
}

/** For people. */
function laneName({ stream, range }: LaneId): string {
  return range === undefined ? stream : `${stream} (${range.kind})`;
}

function isSame(a: LinkStatus, b: LinkStatus): boolean {
  return (
    a.state === b.state &&
    a.reason === b.reason &&
    a.retryAt === b.retryAt &&
    a.rate === b.rate &&
    a.byteRate === b.byteRate &&
    a.lastDeliveredAt === b.lastDeliveredAt
  );
}
