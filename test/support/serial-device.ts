/** What a sketch does at the other end of a serial line: counts its frames, and sends each again until it is acknowledged. */

import { Buffer } from 'node:buffer';
import { setTimeout as delay } from 'node:timers/promises';
import { type OpenPort, openPort } from '../../src/sources/serial/open-port.ts';

const LINE = { baudRate: 115_200, dataBits: 8, stopBits: 1, parity: 'none', flowControl: 'none' } as const;
const ACK = /OK (\d+)\n/g;

export class SerialDevice {
  /** Numbers of the frames that were acknowledged to it, in that order. */
  readonly acked: number[] = [];
  /** Everything that was written to it. */
  heard = '';
  sentCount = 0;
  /** What it says to a line that is no acknowledgement. */
  answerTo: (line: string) => string | Buffer | undefined = () => undefined;
  onBytes: (bytes: Buffer) => void = () => undefined;
  readonly #path: string;
  readonly #acked = new Set<number>();
  #port: OpenPort | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async open(): Promise<void> {
    const port = await openPort({ path: this.#path, line: LINE, lock: false });
    this.#port = port;
    void port.read((bytes) => {
      this.onBytes(bytes);
      this.#hear(bytes.toString('latin1'));
      return undefined;
    });
  }

  async write(bytes: Buffer | string): Promise<void> {
    this.sentCount += 1;
    await this.#port?.write(Buffer.from(bytes));
  }

  /** One frame of JSON, until `OK {number}` comes; false when it did not in time. */
  async deliver(number: number, { againMs = 100, timeoutMs = 20_000 } = {}): Promise<boolean> {
    const givenUpAt = performance.now() + timeoutMs;
    while (performance.now() < givenUpAt) {
      // A port that is gone takes nothing; the sketch goes on all the same.
      await this.write(`{"n":${number},"value":${number / 10}}\n`).catch(() => undefined);
      const sentAt = performance.now();
      while (performance.now() - sentAt < againMs) {
        if (this.#acked.has(number)) return true;
        await delay(2);
      }
    }
    return this.#acked.has(number);
  }

  async close(): Promise<void> {
    const port = this.#port;
    this.#port = undefined;
    await port?.close();
  }

  #hear(text: string): void {
    this.heard += text;
    const complete = this.heard.lastIndexOf('\n') + 1;
    for (const [, number] of this.heard.slice(0, complete).matchAll(ACK)) this.#ack(Number(number));
    for (const line of this.heard.slice(0, complete).split('\n').slice(0, -1)) {
      const answer = this.answerTo(line);
      if (answer !== undefined) void this.#port?.write(Buffer.from(answer)).catch(() => undefined);
    }
    this.heard = this.heard.slice(complete);
  }

  #ack(number: number): void {
    if (this.#acked.has(number)) return;
    this.#acked.add(number);
    this.acked.push(number);
  }
}
