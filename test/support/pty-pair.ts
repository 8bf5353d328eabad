/** A serial port and the device behind it: two pseudo-terminals joined by socat. Unplugged, both are gone. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from './wait-for.ts';

export class PtyPair {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sluice-pty-'));
  /** What the gateway opens. */
  readonly path: string;
  /** The other end. */
  readonly devicePath = join(this.#directory, 'device');
  #socat: ChildProcess | undefined;

  /** `path`: where the port is to be, when it matters. */
  constructor(path?: string) {
    this.path = path ?? join(this.#directory, 'port');
  }

  async plug(): Promise<void> {
    const ends = [this.path, this.devicePath].map((link) => `pty,raw,echo=0,link=${link}`);
    const socat = spawn('socat', ends, { stdio: 'ignore' });
    this.#socat = socat;
    let isMissing = false;
    socat.once('error', () => {
      isMissing = true;
    });
    await waitFor(() => isMissing || (existsSync(this.path) && existsSync(this.devicePath)), {
      what: 'the ptys',
      timeoutMs: 5_000,
    });
    if (isMissing) throw new Error('socat cannot be run: apt-get install socat');
  }

  async unplug(): Promise<void> {
    const socat = this.#socat;
    this.#socat = undefined;
    if (socat === undefined) return;
    const exited = once(socat, 'exit');
    // Told to end with SIGTERM, socat was seen to stay for good now and then. Killed, it leaves its links behind.
    socat.kill('SIGKILL');
    await exited;
    for (const link of [this.path, this.devicePath]) rmSync(link, { force: true });
  }

  async dispose(): Promise<void> {
    await this.unplug();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
