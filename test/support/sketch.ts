/** Sketches of docs/arduino.md, compiled for this machine. */

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/arduino.md'), 'utf8');
const STRICT = ['-std=c++17', '-O1', '-Wall', '-Wextra', '-Werror', '-fsanitize=address,undefined'];

interface DocumentedSketch {
  /** Of the configuration that belongs to it. */
  readonly yaml: string;
  readonly code: string;
}

const YAML = /```yaml\n(.*?)```/s;
export const SKETCH = /```cpp\n(.*?)```/s;

/** What the group of the pattern finds below that heading. @throws Error when there is nothing */
export function documented(heading: string, pattern: RegExp): string {
  const section = page.split('\n## ').find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const [, found] = pattern.exec(section) ?? [];
  if (found === undefined) throw new Error(`docs/arduino.md has no ${pattern} below ${heading}`);
  return found;
}

/** The sketch below that heading, of a serial port. @throws Error when there is none */
export function documentedSketch(heading: string): DocumentedSketch {
  return { yaml: documented(heading, YAML), code: documented(heading, SKETCH) };
}

/** The program of a board with that sketch on it. `board`: the folder with what stands in for the board. */
export async function compiledSketch(code: string, board: 'arduino' | 'esp32', directory: string): Promise<string> {
  const file = join(directory, 'sketch.ino');
  const program = join(directory, 'sketch');
  const folder = resolve(import.meta.dirname, board);
  writeFileSync(file, code);
  const args = [`-I${folder}`, `-DSKETCH="${file}"`, join(folder, 'board.cpp'), '-o', program];
  await promisify(execFile)('g++', [...STRICT, ...args]);
  return program;
}

/** What the outputs of a board drive, as its program says: 1 or 0 for the number of a pin. */
export function drivenPins(output: Readable): ReadonlyMap<number, number> {
  const levels = new Map<number, number>();
  createInterface(output).on('line', (line) => {
    const [, pin, level] = /^pin (\d+) ([01])$/.exec(line) ?? [];
    if (pin !== undefined) levels.set(Number(pin), Number(level));
  });
  return levels;
}

/** A board with a pseudo-terminal as its serial line; what it remembers over a reset stands in the directory. */
export class SketchBoard {
  readonly #directory: string;
  #program = '';
  #process: ChildProcess | undefined;
  /** Since it was started. */
  pins: ReadonlyMap<number, number> = new Map();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async flash(code: string): Promise<void> {
    this.#program = await compiledSketch(code, 'arduino', this.#directory);
  }

  /** At the other end of the port. */
  start(devicePath: string): void {
    const env = { ...process.env, EEPROM: join(this.#directory, 'eeprom') };
    const running = spawn(this.#program, [devicePath], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = running;
    this.pins = drivenPins(running.stdout);
  }

  async reset(devicePath: string): Promise<void> {
    await this.stop();
    this.start(devicePath);
  }

  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const exited = once(running, 'exit');
    running.kill('SIGKILL');
    await exited;
  }
}
