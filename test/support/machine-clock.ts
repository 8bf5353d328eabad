/** The clock of the machine that a gateway believes to run on, set by a test; and time that passes at once. */

import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import type { GatewayOptions, GatewayProcess } from './gateway-process.ts';

/** Node's options and the environment of a gateway that has a `MachineClock`. */
export const WITH_MACHINE_CLOCK: Required<Pick<GatewayOptions, 'nodeOptions' | 'env'>> = {
  nodeOptions: ['--import', new URL('./wrong-clock.ts', import.meta.url).href],
  env: { WRONG_CLOCK_FILE: '{directory}/clock', PATH: `{directory}/bin:${process.env['PATH'] ?? ''}` },
};

export class MachineClock {
  readonly #file: string;
  #bootedAtS = uptime();
  #offsetMs = 0;
  #state: 'synced' | 'unsynced' = 'unsynced';
  /** So much more has passed than really has, with power and without. */
  #passedMs = 0;
  #poweredMs = 0;

  /** Set it before the gateway starts. */
  constructor({ directory }: GatewayProcess) {
    this.#file = join(directory, 'clock');
    // Asked beside systemd's file; that alone says when the clock is right.
    mkdirSync(join(directory, 'bin'));
    writeFileSync(join(directory, 'bin/timedatectl'), '#!/bin/sh\necho no\n');
    chmodSync(join(directory, 'bin/timedatectl'), 0o755);
  }

  /** The true time, in UTC milliseconds. */
  now(): number {
    return Date.now() + this.#passedMs;
  }

  /** What a gateway has read when it has seen all that was set and has passed. */
  get setting(): string {
    const offsetMs = Math.round(this.#passedMs + this.#offsetMs);
    const bootedAtS = this.#bootedAtS - this.#poweredMs / 1000;
    return `${offsetMs} ${this.#state} ${bootedAtS} ${this.#poweredMs}`;
  }

  /** The machine was started just now, or so long ago; holds from the next `set` on. */
  boot(agoS = 0): void {
    this.#bootedAtS = uptime() - agoS + this.#poweredMs / 1000;
  }

  /** `offsetMs`: how far it is off. The gateway sees it within 10 ms. */
  set(offsetMs: number, state: 'synced' | 'unsynced'): void {
    this.#offsetMs = offsetMs;
    this.#state = state;
    this.#write();
  }

  /** So much time passes at once, on a machine that runs. */
  pass(ms: number): void {
    this.#passedMs += ms;
    this.#poweredMs += ms;
    this.#write();
  }

  /** So much time passes without power; no gateway runs, and `boot` follows. */
  passWithoutPower(ms: number): void {
    this.#passedMs += ms;
  }

  #write(): void {
    writeFileSync(`${this.#file}.new`, this.setting);
    renameSync(`${this.#file}.new`, this.#file);
  }
}
