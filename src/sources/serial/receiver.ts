import type { Buffer } from 'node:buffer';
import { setTimeout as delay } from 'node:timers/promises';
import type { Acceptance, FrameIntake } from '../../core/ports.ts';
import type { Handshake } from '../../core/record.ts';
import { portOfChannel } from '../../core/serial-channel.ts';
import type { SerialPortView } from '../../core/views.ts';
import { BadFrames } from './bad-frames.ts';
import type { AnswerResult } from './commands/conversation.ts';
import type { FrameSender } from './frame-sender.ts';
import { FrameWindow } from './frame-window.ts';
import type { BadFrameReason } from './framing/framing.ts';
import type { PortOptions } from './options.ts';
import type { FrameTaker } from './port-session.ts';
import { WaitingFrames } from './waiting-frames.ts';

/** A sketch that waits for longer would send again what is stored. */
const MAX_ACK_WAIT_MS = 1_000;

/** Why a request to a device brought no values: no answer in time, one that came too late, one that says no. */
export type Unanswered = 'timeout' | 'late' | 'exception';

/** What became of a frame. */
export type FrameResult = 'accepted' | 'duplicate' | 'refused' | 'overrun' | BadFrameReason | Unanswered | AnswerResult;

/** Frames that nobody has any more, because the store took none until the stop. */
export interface Unstored {
  readonly waitingCount: number;
  /** Found no room to wait; the store does not know of them either. */
  readonly overrunCount: number;
}

export interface ReceiverParts {
  readonly options: PortOptions;
  /** Of the port. */
  readonly channel: string;
  readonly intake: FrameIntake;
  /** Frames that the store knows from before. */
  readonly known: readonly Handshake[];
  /** UTC milliseconds. */
  readonly now: () => number;
}

/**
 * From frame to acknowledgement: the way of one port, over all the times that it is plugged in. What is bad, and what
 * found no room, is counted.
 */
export class Receiver implements FrameTaker {
  readonly #parts: ReceiverParts;
  readonly #waiting: WaitingFrames;
  readonly #window: FrameWindow | undefined;
  readonly #frames = new Map<FrameResult, number>();
  readonly #badFrames = new BadFrames();
  #byteCount = 0;
  #lastFrameAt: number | null = null;
  #untoldCount = 0;
  #isTelling = false;
  #isStopping = false;

  constructor(parts: ReceiverParts) {
    const { options, known, intake } = parts;
    this.#parts = parts;
    this.#waiting = new WaitingFrames(options.maxWaitingBytes);
    // It can only fail when the store is gone, and the process with it.
    const release = ({ clientId, packetId }: Handshake) =>
      void intake.release(clientId, packetId).catch(() => undefined);
    this.#window = options.frameWindow === undefined ? undefined : new FrameWindow(options.frameWindow, known, release);
  }

  get name(): string {
    return portOfChannel(this.#parts.channel);
  }

  /** Nothing more is taken; what waits still is. */
  stop(): void {
    this.#isStopping = true;
    void this.#tellOverrun();
  }

  get isIdle(): boolean {
    return this.#waiting.count === 0 && this.#untoldCount === 0;
  }

  /** Undefined when there are none: a device that waits for an acknowledgement still has its frames. */
  unstored(): Unstored | undefined {
    if (this.isIdle || this.#parts.options.ack !== undefined) return undefined;
    return { waitingCount: this.#waiting.count, overrunCount: this.#untoldCount };
  }

  /** Since the start. */
  counts(): Pick<SerialPortView, 'byteCount' | 'frames' | 'lastFrameAt' | 'badFrames'> {
    return {
      byteCount: this.#byteCount,
      frames: Object.fromEntries(this.#frames),
      lastFrameAt: this.#lastFrameAt,
      badFrames: this.#badFrames.list(),
    };
  }

  heard(byteCount: number): void {
    this.#byteCount += byteCount;
  }

  /** `channel`: of the one that speaks, where several devices are on the line; the port's when left out. */
  frame(payload: Buffer, sender: FrameSender, channel: string = this.#parts.channel): void {
    if (this.#isStopping) return;
    this.#lastFrameAt = this.#parts.now();
    if (!this.#waiting.enter(payload.length, this.#holdsBack)) {
      this.#overrun(payload.length, channel);
      return;
    }
    const answer = this.#accept(payload, sender, channel);
    const { ack, nack } = this.#parts.options;
    if (ack !== undefined || nack !== undefined) sender.answer(answer);
  }

  bad(reason: BadFrameReason, bytes: Buffer, sender?: FrameSender): void {
    this.#keep(reason, bytes);
    // Noise is what no device meant to send.
    const { nack } = this.#parts.options;
    if (reason !== 'noise' && nack !== undefined) sender?.answer(nack(''));
  }

  /** A frame was the answer to a command: neither stored nor acknowledged. */
  answered(result: AnswerResult): void {
    this.#lastFrameAt = this.#parts.now();
    this.#count(result);
  }

  /** `bytes`: of the answer that says no, else of the request. */
  unanswered(why: Unanswered, bytes: Buffer): void {
    this.#keep(why, bytes);
  }

  room(): Promise<void> | undefined {
    return this.#holdsBack ? this.#waiting.room() : undefined;
  }

  /** The device is told to wait, so nothing needs to be lost. */
  get #holdsBack(): boolean {
    return this.#parts.options.line.flowControl !== 'none';
  }

  /** Resolves with the answer. Never rejects. */
  async #accept(payload: Buffer, sender: FrameSender, channel: string): Promise<Buffer | undefined> {
    const acceptance = await this.#stored(payload, sender, channel);
    const waitMs = (acceptance?.kind === 'accepted' && acceptance.slow?.waitMs) || 0;
    if (waitMs > 0) await delay(Math.min(waitMs, MAX_ACK_WAIT_MS), undefined, { ref: false });
    return acceptance && this.#answerTo(acceptance);
  }

  async #stored(payload: Buffer, sender: FrameSender, channel: string): Promise<Acceptance | undefined> {
    const { intake, options } = this.#parts;
    const mayLinger = options.ack === undefined && this.#waiting.hasRoom;
    try {
      const acceptance = await intake.accept({ source: 'serial', channel, payload, handshake: null, mayLinger });
      this.#settle(acceptance, sender);
      return acceptance;
    } catch {
      // The store is gone, and the process with it.
      return undefined;
    } finally {
      this.#waiting.leave(payload.length);
      void this.#tellOverrun();
    }
  }

  #settle(acceptance: Acceptance, sender: FrameSender): void {
    const { kind } = acceptance;
    if (kind !== 'accepted' && kind !== 'duplicate' && kind !== 'refused') return;
    this.#count(kind);
    if (kind !== 'refused' && acceptance.device !== null) sender.speaksFor(acceptance.device);
    const { frame } = acceptance;
    if (frame !== undefined && kind !== 'duplicate') this.#window?.add(frame.key);
  }

  /** What is refused would be the next time too, so a device that knows no other answer is told that it is done with. */
  #answerTo(acceptance: Acceptance): Buffer | undefined {
    const { ack, nack } = this.#parts.options;
    const { kind } = acceptance;
    if (kind !== 'accepted' && kind !== 'duplicate' && kind !== 'refused') return undefined;
    // What was understood and is not stored for its share would not be the next time either.
    if (kind === 'refused' && acceptance.reason !== 'share') return (nack ?? ack)?.('');
    return ack?.(String(acceptance.frame?.number ?? ''));
  }

  /** A device that waits for an acknowledgement still has the frame. */
  #overrun(byteCount: number, channel: string): void {
    this.#count('overrun');
    if (this.#parts.options.ack !== undefined) return;
    this.#waiting.lose(channel, byteCount, this.#parts.now());
    this.#untoldCount += 1;
  }

  /** One report at a time: what is lost meanwhile goes into the next. */
  async #tellOverrun(): Promise<void> {
    if (this.#isTelling) return;
    this.#isTelling = true;
    const { intake } = this.#parts;
    try {
      for (let lost = this.#waiting.takeOverrun(); lost !== undefined; lost = this.#waiting.takeOverrun()) {
        await intake.overrun(...lost);
        this.#untoldCount -= lost[1].count;
      }
    } catch {
      // The store is gone, and the process with it.
    } finally {
      this.#isTelling = false;
    }
  }

  #keep(reason: BadFrameReason | Unanswered, bytes: Buffer): void {
    this.#count(reason);
    this.#badFrames.add(reason, bytes, this.#parts.now());
  }

  #count(result: FrameResult): void {
    this.#frames.set(result, (this.#frames.get(result) ?? 0) + 1);
  }
}
