import { Buffer } from 'node:buffer';
import type { Command, CommandAnswer, Handover } from '../../core/command.ts';
import type { Speakers } from '../../core/views.ts';
import { Answers, type Pause } from './answers.ts';
import type { CommandBook } from './commands/command-book.ts';
import { type AnswerResult, Conversation } from './commands/conversation.ts';
import { type FrameAnswer, FrameAnswers } from './frame-answers.ts';
import type { FrameSender } from './frame-sender.ts';
import type { BadFrameReason, FrameDecoder, FrameSink, Framing } from './framing/framing.ts';
import type { OpenPort } from './open-port.ts';
import type { Session } from './session.ts';

/** Who takes the frames of a session. */
export interface FrameTaker {
  heard(byteCount: number): void;
  /** The bytes are the taker's. */
  frame(payload: Buffer, sender: FrameSender): void;
  bad(reason: BadFrameReason, bytes: Buffer, sender: FrameSender): void;
  /** A frame was no message, but the answer to a command. */
  answered(result: AnswerResult): void;
  /** What is to be waited for before more is read. */
  room(): Promise<void> | undefined;
}

export interface PortSessionParts {
  readonly framing: Framing;
  readonly port: OpenPort;
  /** Between two frames that are written; undefined: none is needed. */
  readonly pause?: Pause | undefined;
  readonly taker: FrameTaker;
  readonly speakers: Speakers;
  /** Whose its frames are; null when only they say it. */
  readonly device: string | null;
  readonly commands: Pick<CommandBook, 'plan'>;
  /** A device that begins anew when its port is opened hears nothing for a while, unless it says something before. */
  readonly readyAfterMs: number;
  readonly onReachable: (device: string) => void;
}

/** Devices that one port may speak for, as connections of MQTT may. */
const MAX_DEVICES = 1_000;

/** A port from when it was opened until it is closed: bytes in, frames out, answers and commands back. */
export class PortSession implements Session, FrameSink, FrameSender {
  readonly #port: OpenPort;
  readonly #taker: FrameTaker;
  readonly #device: string | null;
  readonly #commands: Pick<CommandBook, 'plan'>;
  readonly #conversation: Conversation;
  readonly #readyAfterMs: number;
  readonly #onReachable: (device: string) => void;
  readonly #devices = new Set<string>();
  readonly #speakers: Speakers;
  readonly #decoder: FrameDecoder;
  readonly #gapMs: number | undefined;
  readonly #answers: Answers;
  readonly #frameAnswers: FrameAnswers;
  #gapTimer: NodeJS.Timeout | undefined;
  #readyTimer: NodeJS.Timeout | undefined;
  #isReady = false;
  #isOpen = true;

  constructor(parts: PortSessionParts) {
    const { framing, port, taker, speakers } = parts;
    this.#port = port;
    this.#taker = taker;
    this.#device = parts.device;
    this.#commands = parts.commands;
    this.#readyAfterMs = parts.readyAfterMs;
    this.#onReachable = parts.onReachable;
    this.#speakers = speakers;
    this.#decoder = framing.decoder(this);
    this.#gapMs = framing.gapMs;
    this.#answers = new Answers(port, parts.pause);
    this.#frameAnswers = new FrameAnswers((bytes) => {
      if (this.#isOpen) this.#answers.write(bytes);
    });
    this.#conversation = new Conversation({ writer: this.#answers, onAnswer: (result) => taker.answered(result) });
  }

  /** A device that is known before it says anything is online while its port is open. */
  opened(): void {
    if (this.#device !== null) this.speaksFor(this.#device);
    if (this.#readyAfterMs === 0) this.#ready();
    else this.#readyTimer = setTimeout(() => this.#ready(), this.#readyAfterMs).unref();
  }

  take(bytes: Buffer): Promise<void> | undefined {
    this.#disarmGap();
    this.#taker.heard(bytes.length);
    this.#decoder.feed(bytes);
    const room = this.#taker.room();
    if (this.#gapMs !== undefined) this.#listenFrom(room, this.#gapMs);
    return room;
  }

  closed(): void {
    this.#disarmGap();
    clearTimeout(this.#readyTimer);
    this.#decoder.gap('closed');
    this.#isOpen = false;
    this.#conversation.close();
    this.#answers.close();
    this.#speakers.gone(this);
  }

  good(payload: Buffer): void {
    this.#ready();
    if (!this.#conversation.take(payload)) this.#taker.frame(Buffer.from(payload), this);
  }

  bad(reason: BadFrameReason, bytes: Buffer): void {
    this.#taker.bad(reason, bytes, this);
  }

  /** A device that is known by its frames alone is online from the first one on. */
  speaksFor(device: string): void {
    if (!this.#isOpen) return;
    this.#speakers.speaks(this, device);
    if (this.#devices.has(device) || this.#devices.size >= MAX_DEVICES) return;
    this.#devices.add(device);
    this.#onReachable(device);
  }

  isOf(device: string): boolean {
    return this.#devices.has(device);
  }

  send(command: Command, onAnswer: (answer: CommandAnswer) => void): Promise<Handover> {
    const planned = this.#commands.plan(command);
    if ('refusal' in planned) {
      onAnswer(planned.refusal);
      return Promise.resolve('unreachable');
    }
    return this.#isReady ? this.#conversation.send(planned.order, onAnswer) : Promise.resolve('unreachable');
  }

  forget(requestId: string): void {
    this.#conversation.forget(requestId);
  }

  answer(answer: FrameAnswer): void {
    this.#frameAnswers.add(answer);
  }

  /** Resolves when all answers are written, or never can be. */
  async answered(): Promise<void> {
    await this.#frameAnswers.settled();
    await this.#answers.settled();
  }

  /** Nobody knows whether the line is silent while nothing is read of it. */
  #listenFrom(room: Promise<void> | undefined, gapMs: number): void {
    if (room === undefined) this.#armGap(gapMs);
    else void room.then(() => this.#armGap(gapMs));
  }

  #ready(): void {
    if (this.#isReady) return;
    clearTimeout(this.#readyTimer);
    this.#isReady = true;
    for (const device of this.#devices) this.#onReachable(device);
  }

  #armGap(gapMs: number): void {
    if (!this.#isOpen) return;
    const timer = setTimeout(() => void this.#silent(timer), gapMs).unref();
    this.#gapTimer = timer;
  }

  /** After a turn of the loop that took long, a timer comes before the bytes that came in time. */
  async #silent(timer: NodeJS.Timeout): Promise<void> {
    await this.#port.caughtUp();
    if (this.#gapTimer === timer) this.#decoder.gap();
  }

  #disarmGap(): void {
    clearTimeout(this.#gapTimer);
    this.#gapTimer = undefined;
  }
}
