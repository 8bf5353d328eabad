import { Buffer } from 'node:buffer';
import { type Command, type CommandAnswer, type CommandSink, MAX_COMMAND_BYTES } from '../../core/command.ts';
import type { CommandState, CommandView, FinalState } from '../../core/commands.ts';
import { jsonText } from './json-text.ts';

export interface GivenCommandOptions {
  readonly number: number;
  readonly requestId: string;
  readonly device: string;
  readonly name: string;
  /** JSON. */
  readonly paramsText: string;
  readonly timeoutMs: number;
  /** Ways to devices, in the order in which they are tried. */
  readonly sinks: readonly CommandSink[];
  readonly clock: CommandClock;
  /** Called once. */
  readonly onFinished: (command: GivenCommand) => void;
}

export interface CommandClock {
  /** UTC milliseconds, for people and devices to read. */
  now(): number;
  /** Milliseconds that only grow: a clock that is set makes no command expire, and none live again. */
  monotonic(): number;
}

/** For what a command takes beside its texts. */
const OVERHEAD_BYTES = 1_024;
const NO_ROOM: CommandAnswer = {
  status: 502,
  error: `the result is larger than ${MAX_COMMAND_BYTES} bytes, or nested too deeply, and was not kept`,
};

/** The life of one command: offered until it is written once, waited for until it is answered or its time is over. */
export class GivenCommand {
  readonly finished: Promise<void>;
  readonly #options: GivenCommandOptions;
  readonly #createdAt: number;
  readonly #expiresAt: number;
  readonly #resolveFinished: () => void;
  #timer: NodeJS.Timeout | undefined;
  #deadline: number;
  #state: CommandState = 'queued';
  #sentAt: number | null = null;
  #finishedAt: number | null = null;
  #status: number | null = null;
  #resultText: string | null = null;
  #error: string | null = null;
  #isOffering = false;
  #isWorthAnotherTry = false;
  #isAbandoned = false;

  constructor(options: GivenCommandOptions) {
    const { clock, timeoutMs } = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.finished = promise;
    this.#resolveFinished = resolve;
    this.#options = options;
    this.#createdAt = clock.now();
    this.#deadline = this.#createdAt + timeoutMs;
    this.#expiresAt = clock.monotonic() + timeoutMs;
  }

  start(): void {
    this.#timer = setTimeout(() => this.finish('expired'), this.#options.timeoutMs);
    this.offer();
  }

  get requestId(): string {
    return this.#options.requestId;
  }

  get device(): string {
    return this.#options.device;
  }

  get number(): number {
    return this.#options.number;
  }

  get state(): CommandState {
    return this.#state;
  }

  get isFinished(): boolean {
    return this.#finishedAt !== null;
  }

  /** What it takes in memory while it waits, about. */
  get waitingBytes(): number {
    return OVERHEAD_BYTES + Buffer.byteLength(this.#options.paramsText);
  }

  /** The same with its answer. */
  get bytes(): number {
    return this.waitingBytes + Buffer.byteLength(this.#resultText ?? '') + Buffer.byteLength(this.#error ?? '');
  }

  /** Tries all ways in turn, one command over one way at a time: it must not be written twice. */
  offer(): void {
    this.#isWorthAnotherTry = true;
    if (this.#isOffering || this.#state !== 'queued') return;
    // Sinks never reject.
    void this.#offerAll();
  }

  /** Nothing that comes later changes it. */
  finish(state: FinalState): void {
    if (this.isFinished) return;
    clearTimeout(this.#timer);
    this.#state = state;
    this.#finishedAt = this.#options.clock.now();
    for (const sink of this.#options.sinks) sink.forget(this.requestId);
    this.#options.onFinished(this);
    this.#resolveFinished();
  }

  /** It is neither finished nor waited for: the gateway stops. */
  abandon(): void {
    this.#isAbandoned = true;
    clearTimeout(this.#timer);
    for (const sink of this.#options.sinks) sink.forget(this.requestId);
    this.#resolveFinished();
  }

  view(): CommandView {
    const { number, requestId, device, name, paramsText, timeoutMs } = this.#options;
    return {
      ...{ number, requestId, device, name, timeoutMs },
      params: JSON.parse(paramsText),
      state: this.#state,
      createdAt: this.#createdAt,
      deadline: this.#deadline,
      sentAt: this.#sentAt,
      finishedAt: this.#finishedAt,
      status: this.#status,
      result: this.#resultText === null ? null : JSON.parse(this.#resultText),
      error: this.#error,
    };
  }

  async #offerAll(): Promise<void> {
    this.#isOffering = true;
    while (this.#isWorthAnotherTry) {
      this.#isWorthAnotherTry = false;
      if (await this.#isTaken()) this.#sent();
    }
    this.#isOffering = false;
  }

  /** By one of the ways. */
  async #isTaken(): Promise<boolean> {
    for (const sink of this.#options.sinks) {
      const leftMs = this.#expiresAt - this.#options.clock.monotonic();
      if (this.#state !== 'queued' || this.#isAbandoned || leftMs <= 0) return false;
      const handover = await sink.send(this.#command(leftMs), (answer) => this.#answered(answer));
      if (handover === 'sent') return true;
    }
    return false;
  }

  /** The clock may have been set since the command was given: the device is told its end by the clock as it is now. */
  #command(leftMs: number): Command {
    const { requestId, device, name, paramsText, clock } = this.#options;
    const timeoutMs = Math.ceil(leftMs);
    this.#deadline = clock.now() + timeoutMs;
    return { requestId, device, name, params: JSON.parse(paramsText), timeoutMs, deadline: this.#deadline };
  }

  /** Told even of one that was finished meanwhile: whoever cancelled it may want to know. */
  #sent(): void {
    this.#sentAt ??= this.#options.clock.now();
    if (this.#state === 'queued') this.#state = 'sent';
  }

  #answered(answer: CommandAnswer): void {
    if (this.isFinished) return;
    // Nothing answers what it did not get, even when the sink says so a moment later only.
    if (answer.isUnsent !== true) this.#sent();
    const { status, result, error } = fitting(answer);
    this.#status = status;
    this.#resultText = result;
    this.#error = error;
    this.finish(status >= 200 && status < 300 ? 'done' : 'failed');
  }
}

function fitting(answer: CommandAnswer): { status: number; result: string | null; error: string | null } {
  const { result, error = null } = answer;
  const text = result === undefined ? null : jsonText(result, MAX_COMMAND_BYTES);
  if (text === undefined) return fitting(NO_ROOM);
  return { status: answer.status, result: text, error: error === null ? null : error.slice(0, MAX_COMMAND_BYTES) };
}
