import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';

/** In the new terminal: nothing is echoed or translated, and the link is the port. Says so when that is done, and stays. */
const SERVE = 'stty raw -echo && ln -sfn "$(tty)" "$PORT" && echo plugged && exec sleep infinity';
const PLUGGED = 'plugged';

/** The device's end of a serial line: a pseudo-terminal of script(1), which every Debian has. Unplugged, it is gone. */
export class SerialLine {
  readonly #path: string;
  readonly #onLine: (line: string) => void;
  #terminal: ChildProcess | undefined;
  #isPlugged = false;

  /** `path`: where the port is to be. `onLine`: called with each line that is written to the device. */
  constructor(path: string, onLine: (line: string) => void) {
    this.#path = path;
    this.#onLine = onLine;
  }

  plug(): void {
    // The kernel ends it with this program, however that ends.
    const terminal = spawn('setpriv', ['--pdeathsig', 'TERM', 'script', '-qfc', SERVE, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, PORT: this.#path, SHELL: '/bin/sh' },
    });
    this.#terminal = terminal;
    terminal.once('error', () => {
      process.stderr.write('no simulated Arduino: it needs setpriv and script (Debian: util-linux, bsdutils)\n');
    });
    // What was on the line when it was pulled.
    terminal.stdin?.on('error', () => {});
    createInterface({ input: terminal.stdout }).on('line', (line) => {
      if (line === PLUGGED) this.#isPlugged = true;
      else this.#onLine(line);
    });
  }

  unplug(): void {
    this.#isPlugged = false;
    rmSync(this.#path, { force: true });
    this.#terminal?.kill('SIGTERM');
    this.#terminal = undefined;
  }

  /** Nothing that is unplugged, or that nobody reads, takes what is written. */
  write(line: string): void {
    const { stdin } = this.#terminal ?? {};
    if (this.#isPlugged && stdin?.writableNeedDrain === false) stdin.write(`${line}\n`);
  }
}
