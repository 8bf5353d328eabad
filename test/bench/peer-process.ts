import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { waitFor } from '../support/wait-for.ts';

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program that is measured beside Sluice. It ends with the bench. */
export class PeerProcess {
  readonly name: string;
  readonly #child: ChildProcess;
  #output = '';

  constructor(command: string, args: readonly string[]) {
    this.name = command;
    // The kernel ends it when this process dies, however that happens.
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.#child);
    this.#child.once('exit', () => running.delete(this.#child));
    this.#child.once('error', (error) => {
      this.#output += `${error.message}\n`;
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-20_000);
      });
    }
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} does not run: ${this.#output}`);
    return this.#child.pid;
  }

  /** Resolves when its output holds the text. */
  async says(text: string): Promise<void> {
    const probe = (): boolean => this.#output.includes(text);
    await waitFor(probe, { what: `${this.name} to say "${text}"`, timeoutMs: 20_000 }).catch((cause: unknown) => {
      throw new Error(`${this.name} said:\n${this.#output}`, { cause });
    });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) return;
    const exit = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const hard = setTimeout(() => this.#child.kill('SIGKILL'), 10_000);
    await exit;
    clearTimeout(hard);
  }
}

/** Resolves when something accepts connections on the port of 127.0.0.1. */
export async function listening(port: number): Promise<void> {
  const probe = async (): Promise<boolean> => {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return true;
    } finally {
      socket.destroy();
    }
  };
  await waitFor(probe, { what: `port ${port} to accept connections`, timeoutMs: 20_000 });
}
