import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';

/** `unknown`: this system cannot tell; counts as synced. */
export type ClockState = 'synced' | 'unsynced' | 'unknown';

export interface Clock {
  /** UTC milliseconds since 1970. */
  now(): number;
  /** Milliseconds that never go back and never jump; time in which the machine sleeps may be missing. */
  elapsed(): number;
  /** How far a time taken now can be trusted. */
  quality(): 'synced' | 'unsynced';
  state(): ClockState;
  /** Resolves with the state as soon as it is not `unsynced`, after `maxMs`, or when the signal is aborted. */
  waitForSync(maxMs: number, signal: AbortSignal): Promise<ClockState>;
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
/** A clock that is behind this program is wrong, whatever the system says of it. */
const EARLIEST_MS = Date.UTC(2026, 0);

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

  /** Returns at once; asks again in the background until the clock is synchronised. */
  start(): void {
    this.#watching = true;
    if (existsSync(this.#options.synchronizedFile)) this.#set('synced');
    else if (!existsSync(this.#options.systemdDir)) this.#set('unknown');
    else {
      this.#set('unsynced');
      void this.#probe();
    }
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

  quality(): 'synced' | 'unsynced' {
    return this.state() === 'unsynced' ? 'unsynced' : 'synced';
  }

  state(): ClockState {
    return this.now() < EARLIEST_MS ? 'unsynced' : this.#state;
  }

  async waitForSync(maxMs: number, signal: AbortSignal): Promise<ClockState> {
    if (this.state() !== 'unsynced' || signal.aborted) return this.state();
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const timer = setTimeout(wake, maxMs);
    this.#waiting.add(wake);
    signal.addEventListener('abort', wake);
    await promise;
    clearTimeout(timer);
    this.#waiting.delete(wake);
    signal.removeEventListener('abort', wake);
    return this.state();
  }

  async #probe(): Promise<void> {
    const state = existsSync(this.#options.synchronizedFile) ? 'synced' : await this.#askWhenDue();
    if (!this.#watching) return;
    this.#set(state);
    if (state !== 'synced') this.#timer = setTimeout(() => void this.#probe(), this.#options.pollMs).unref();
  }

  /** Less and less often: the answer costs a process, and some machines are never synchronised. */
  async #askWhenDue(): Promise<ClockState> {
    if (performance.now() < this.#askAt) return this.#state;
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
    if (state !== 'unsynced') for (const wake of this.#waiting) wake();
  }
}
