import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { endWithUs } from '../../support/end-with-us.ts';
import { type Line, sentBytes } from './lines.ts';

/** Of one line, since it was plugged in. */
export interface WrittenLine {
  /** Bytes, overruns included. */
  readonly position: number;
  /** Times that a port did not take all bytes because it was not read, and bytes that it did not take. */
  readonly overruns: number;
  readonly overrun_bytes: number;
  /** Times that bytes waited for the kernel, which had not yet moved on the ones before: nobody could have read them. */
  readonly kernel_waits: number;
  /** How long the writer itself got no processor. */
  readonly stood_still_s: number;
}

export interface Written {
  /** Of this stretch. */
  readonly seconds: number;
  readonly lines: readonly WrittenLine[];
}

export interface WriterLine {
  readonly line: Line;
  /** What the gateway opens. */
  readonly path: string;
  /** Where on the line each frame begins. */
  readonly beginnings: readonly number[];
}

/** The devices at the other ends of the lines, in a process of their own that waits for no reader. */
export class LineWriter {
  readonly lines: readonly WriterLine[];
  readonly #directory = mkdtempSync(join(tmpdir(), 'sluice-lines-'));
  readonly #child: ChildProcess;
  readonly #said: AsyncIterator<string>;

  constructor(lines: readonly Line[], seconds: number) {
    this.lines = lines.map((line) => {
      const { bytes, beginnings } = sentBytes(line, seconds);
      writeFileSync(this.#file(line), bytes);
      return { line, path: join(this.#directory, line.name), beginnings };
    });
    const script = join(import.meta.dirname, 'line-writer.py');
    const child = spawn('/usr/bin/python3', [script], { stdio: ['pipe', 'pipe', 'inherit'] });
    endWithUs(child);
    this.#child = child;
    this.#said = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves when the ports are there. */
  async plug(): Promise<void> {
    const orders = this.lines.map(({ line, path: link }) => ({
      link,
      file: this.#file(line),
      bytes_per_s: line.bytesPerS,
      piece_bytes: line.pieceBytes,
    }));
    this.#child.stdin?.write(`${JSON.stringify(orders)}\n`);
    await this.#line();
  }

  /** Goes on for so many seconds; resolves when all of that was sent. */
  async play(seconds: number): Promise<Written> {
    this.#child.stdin?.write(`${seconds}\n`);
    return JSON.parse(await this.#line()) as Written;
  }

  async dispose(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #file({ name }: Line): string {
    return join(this.#directory, `${name}.bytes`);
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#said.next();
    if (done === true) throw new Error('the writer of the lines ended: read its lines above');
    return value;
  }
}
