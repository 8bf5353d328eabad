import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { uptime } from 'node:os';
import type { AcceptanceClock } from '../core/acceptance.ts';
import { EARLIEST_NOW_MS } from '../core/earliest-now.ts';
import type { BootStart, BootTime } from '../core/record.ts';
import { readBootId } from './boot-id.ts';

/** `unknown`: this system cannot tell; counts as synced. */
export type ClockState = 'synced' | 'unsynced' | 'unknown';

export interface Clock extends AcceptanceClock {
  /** Milliseconds that never go back and never jump; time in which the machine sleeps may be missing. */
  elapsed(): number;
  state(): ClockState;
  /** When the machine was started, if the clock is right now; undefined as `bootTime`. */
  bootStart(): BootStart | undefined;
  /** Resolves with the state as soon as it is not `unsynced`, after `maxMs` (Infinity: never), or when the signal is aborted. */
  waitForSync(maxMs: number, signal: AbortSignal): Promise<ClockState>;
  /**
   * Whether times of before may be corrected by it. Where there is a time service, its silence says nothing: only `synced`
   * counts. Where there is none, a clock that is not behind this program does.
   */
  isRight(): boolean;
  /** Resolves as soon as it is, or when the signal is aborted. */
  waitUntilRight(signal: AbortSignal): Promise<void>;
}

export interface SystemClockOptions {
  /** Made by systemd-timesyncd after the first synchronisation (systemd-timesyncd.service(8), FILES). */
  readonly synchronizedFile?: string;
  /** Exists when systemd is the init system (sd_booted(3)). */
  readonly systemdDir?: string;
  readonly timedatectl?: string;
  readonly pollMs?: number;
  readonly askTimeoutMs?: number;
}

/** At boot the time service, or the bus to it, may not be there yet; one that keeps failing will never tell. */
const MAX_FAILURES = 5;
const MAX_ASK_EVERY_MS = 60_000;
/** Of the uptime, two of them. */
const SAME_MOMENT_MS = 20;
const MAX_LOOKS = 100;

/**
 * The system's clock. Once synchronised it stays `synced`. Until systemd has answered for the first time the state is
 * `unsynced`: at boot, a board without a battery is more often wrong than right.
 */
export class SystemClock implements Clock {
  readonly #options: Required<SystemClockOptions>;
  #state: ClockState = 'unknown';
  #timer: NodeJS.Timeout | undefined;
  #askAt = 0;
  #askEveryMs = 0;
  #failures = 0;
  #watching: boolean = false;
  #hasSystemd = false;
  #bootId: string | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(options: SystemClockOptions = {}) {
    this.#options = {
      synchronizedFile: '/run/systemd/timesync/synchronized',
      systemdDir: '/run/systemd/system',
      timedatectl: 'timedatectl',
      pollMs: 1_000,
      askTimeoutMs: 2_000,
      ...options,
    };
  }

  /** Returns at once; looks again in the background until the clock is synchronised. */
  start(): void {
    this.#watching = true;
    this.#hasSystemd = existsSync(this.#options.systemdDir);
    if (existsSync(this.#options.synchronizedFile)) this.#set('synced');
    else this.#set(this.#hasSystemd ? 'unsynced' : 'unknown');
    if (this.#mayChange()) void this.#probe();
  }

  stop(): void {
    this.#watching = false;
    clearTimeout(this.#timer);
    for (const wake of this.#waiting) wake();
  }

  now(): number {
    return Date.now();
  }

  elapsed(): number {
    return performance.now();
  }

  /** By CLOCK_BOOTTIME, in steps of 10 ms; CLOCK_MONOTONIC leaves out the time in which the machine sleeps (proc_uptime(5)). */
  bootTime(): BootTime | undefined {
    this.#bootId ??= readBootId();
    return this.#bootId === undefined ? undefined : { bootId: this.#bootId, uptimeMs: Math.round(uptime() * 1000) };
  }

  bootStart(): BootStart | undefined {
    for (let look = 1; ; look += 1) {
      const before = this.bootTime();
      const now = this.now();
      const after = this.bootTime();
      if (before === undefined || after === undefined) return undefined;
      // This thread may have been held up between the two clocks: a board that starts has much to do.
      const isOneMoment = after.uptimeMs - before.uptimeMs <= SAME_MOMENT_MS;
      if (isOneMoment || look === MAX_LOOKS) return { bootId: after.bootId, startedAt: now - after.uptimeMs };
    }
  }

  quality(): 'synced' | 'unsynced' {
    return this.state() === 'unsynced' ? 'unsynced' : 'synced';
  }

  state(): ClockState {
    return this.now() < EARLIEST_NOW_MS ? 'unsynced' : this.#state;
  }

  async waitForSync(maxMs: number, signal: AbortSignal): Promise<ClockState> {
    const over = maxMs === Number.POSITIVE_INFINITY ? signal : AbortSignal.any([signal, AbortSignal.timeout(maxMs)]);
    await this.#waitUntil(() => this.state() !== 'unsynced', over);
    return this.state();
  }

  isRight(): boolean {
    return this.#hasSystemd ? this.state() === 'synced' : this.state() !== 'unsynced';
  }

  async waitUntilRight(signal: AbortSignal): Promise<void> {
    await this.#waitUntil(() => this.isRight(), signal);
  }

  /** Or until the signal is aborted, or the clock is stopped. */
  async #waitUntil(isSo: () => boolean, signal: AbortSignal): Promise<void> {
    if (isSo() || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => {
      if (isSo() || signal.aborted || !this.#watching) resolve();
    };
    this.#waiting.add(wake);
    signal.addEventListener('abort', wake);
    await promise;
    this.#waiting.delete(wake);
    signal.removeEventListener('abort', wake);
  }

  async #probe(): Promise<void> {
    const isSynced = this.#state === 'synced' || existsSync(this.#options.synchronizedFile);
    const state = isSynced ? 'synced' : await this.#askWhenDue();
    if (!this.#watching) return;
    this.#set(state);
    if (this.#mayChange()) this.#timer = setTimeout(() => void this.#probe(), this.#options.pollMs).unref();
  }

  /** Without systemd only a clock that is behind this program does. */
  #mayChange(): boolean {
    return this.state() === 'unsynced' || (this.#hasSystemd && this.#state !== 'synced');
  }

  /** Less and less often: the answer costs a process, and some machines are never synchronised. */
  async #askWhenDue(): Promise<ClockState> {
    if (!this.#hasSystemd || performance.now() < this.#askAt) return this.#state;
    const state = await this.#ask();
    this.#askEveryMs = Math.min(2 * (this.#askEveryMs || this.#options.pollMs), MAX_ASK_EVERY_MS);
    this.#askAt = performance.now() + this.#askEveryMs;
    return state;
  }

  /** `NTPSynchronized` is the kernel's own flag, so it holds for chrony and ntpd too (timedatectl(1)). */
  #ask(): Promise<ClockState> {
    const { promise, resolve } = Promise.withResolvers<ClockState>();
    const options = { timeout: this.#options.askTimeoutMs, killSignal: 'SIGKILL' } as const;
    execFile(this.#options.timedatectl, ['show', '-p', 'NTPSynchronized', '--value'], options, (error, stdout) => {
      const answer = stdout.trim();
      const isAnswer = error === null && (answer === 'yes' || answer === 'no');
      this.#failures = isAnswer ? 0 : this.#failures + 1;
      if (isAnswer) resolve(answer === 'yes' ? 'synced' : 'unsynced');
      else resolve(error?.code === 'ENOENT' || this.#failures >= MAX_FAILURES ? 'unknown' : this.#state);
    });
    return promise;
  }

  #set(state: ClockState): void {
    this.#state = state;
    for (const wake of this.#waiting) wake();
  }
}
