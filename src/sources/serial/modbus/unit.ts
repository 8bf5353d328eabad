import type { SerialUnitView, Speakers } from '../../../core/views.ts';
import type { Logger } from '../../../platform/logger.ts';
import type { RepeatSummary } from '../../../platform/repeat-summary.ts';
import type { FrameSender } from '../frame-sender.ts';
import type { UnitOptions } from './options.ts';
import { type Group, groupsOf, type Read } from './read-plan.ts';
import type { Span } from './request.ts';

export interface UnitParts {
  readonly options: UnitOptions;
  /** Of its records. */
  readonly channel: string;
  /** Null when its id cannot be one. */
  readonly device: string | null;
  readonly speakers: Speakers;
  readonly logger: Pick<Logger, 'info'>;
  readonly repeats: Pick<RepeatSummary, 'warn'>;
  /** UTC milliseconds. */
  readonly now: () => number;
}

/** [MODBUS Application Protocol V1.1b3, 7] */
const EXCEPTIONS: Readonly<Record<number, string>> = {
  1: 'illegal function',
  2: 'illegal data address',
  3: 'illegal data value',
  4: 'server device failure',
  5: 'acknowledge',
  6: 'server device busy',
  8: 'memory parity error',
  10: 'gateway path unavailable',
  11: 'gateway target device failed to respond',
};
const NO_ANSWER = 'it does not answer';

export function exceptionText(code: number): string {
  return `exception ${code}, ${EXCEPTIONS[code] ?? 'of the device'}`;
}

export function spanText({ table, address, count }: Span): string {
  return `${table} ${address}${count === 1 ? '' : ` to ${address + count - 1}`}`;
}

/** A device on a line, over all the times that the port is open: online while it answers. */
export class Unit implements FrameSender {
  readonly #parts: UnitParts;
  readonly groups: readonly Group[];
  /** Of requests that it does not do, by what they read. */
  readonly #refused = new Map<string, string>();
  #isOnline = false;
  #isSilent = false;
  #lastAnswerAt: number | null = null;

  constructor(parts: UnitParts) {
    this.#parts = parts;
    this.groups = groupsOf(parts.options);
  }

  get unitId(): number {
    return this.#parts.options.unitId;
  }

  get device(): string | null {
    return this.#parts.device;
  }

  get options(): UnitOptions {
    return this.#parts.options;
  }

  /** Commands may write some of its registers. */
  get isWritable(): boolean {
    return this.options.registers.some(({ write }) => write !== undefined);
  }

  get channel(): string {
    return this.#parts.channel;
  }

  /** It did not answer the last time, all retries included. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  view(): SerialUnitView {
    const { device } = this.#parts;
    const reasons = this.#isSilent ? [NO_ANSWER] : [...this.#refused.values()];
    return {
      unitId: this.unitId,
      device,
      isOnline: this.#isOnline,
      lastAnswerAt: this.#lastAnswerAt,
      reason: reasons.length === 0 ? null : reasons.join('; '),
    };
  }

  /** `exception`: the code of it; undefined when it did what it was asked. */
  answered(read: Read, exception: number | undefined): void {
    this.heard();
    this.#note(read, exception);
  }

  /** It answers, whatever it was asked. */
  heard(): void {
    const { device, now, logger, channel } = this.#parts;
    this.#lastAnswerAt = now();
    if (this.#isSilent) logger.info({ channel, device }, 'a Modbus unit answers again');
    this.#isSilent = false;
    this.#isOnline = true;
    if (device !== null) this.speaksFor(device);
  }

  silent(): void {
    const { device, repeats, channel } = this.#parts;
    if (!this.#isSilent) repeats.warn(`silent ${channel}`, { channel, device }, 'a Modbus unit does not answer');
    // Of one that is only written nobody would hear that it is back.
    this.#isSilent = this.groups.length > 0;
    this.#goOffline();
  }

  /** Nobody knows more until it is open again. */
  portClosed(): void {
    this.#isSilent = false;
    this.#goOffline();
  }

  /** Its records are stored a moment later: it may have gone silent in between. */
  speaksFor(device: string): void {
    if (this.#isOnline) this.#parts.speakers.speaks(this, device);
  }

  /** Nothing is answered to a unit. */
  answer(): void {}

  #goOffline(): void {
    this.#isOnline = false;
    this.#parts.speakers.gone(this);
  }

  #note(read: Read, exception: number | undefined): void {
    const span = spanText(read);
    if (exception === undefined) {
      this.#refused.delete(span);
      return;
    }
    const reason = `${span}: ${exceptionText(exception)}`;
    const { device, repeats, channel } = this.#parts;
    if (this.#refused.get(span) !== reason) {
      repeats.warn(`exception ${channel} ${span}`, { channel, device, reason }, 'a Modbus unit refuses a request');
    }
    this.#refused.set(span, reason);
  }
}
