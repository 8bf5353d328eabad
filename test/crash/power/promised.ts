import type { Buffer } from 'node:buffer';
import type { Stream } from '../../../src/core/stream.ts';

/** What the workload was promised, read line by line as it is written down. */
export class Promised {
  /** First seq of each entry that is accepted. */
  readonly entries = new Map<number, number>();
  /** Highest cursor that was asked for, and that was promised, per stream. */
  readonly settling = new Map<Stream, number>();
  readonly settled = new Map<Stream, number>();
  readonly devices: string[] = [];
  readonly sessions: number[] = [];
  #partial = '';

  read(bytes: Buffer): void {
    const lines = `${this.#partial}${bytes.toString()}`.split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) this.#readLine(line.split(' '));
  }

  #readLine([what, name = '', value = '']: readonly string[]): void {
    if (what === 'accepted') this.entries.set(Number(name), Number(value));
    else if (what === 'settling') this.settling.set(name as Stream, Number(value));
    else if (what === 'settled') this.settled.set(name as Stream, Number(value));
    else if (what === 'device') this.devices.push(name);
    else if (what === 'session') this.sessions.push(Number(name));
  }
}
