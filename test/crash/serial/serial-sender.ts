import { Buffer } from 'node:buffer';
import { setTimeout as delay } from 'node:timers/promises';
import type { Framing } from '../../../src/sources/serial/framing/framing.ts';
import { type OpenPort, openPort } from '../../../src/sources/serial/open-port.ts';
import { Ledger, recordId } from '../../support/ledger.ts';
import { PtyPair } from '../../support/pty-pair.ts';

const LINE = { baudRate: 115_200, dataBits: 8, stopBits: 1, parity: 'none', flowControl: 'none' } as const;
const ACK = /OK (\d+)\n/g;
/** How far it is ahead of the oldest frame that has no answer. */
export const IN_FLIGHT = 8;
/** A frame that has no answer for so long is sent again: sometimes too early, as a hasty sketch does. */
const AGAIN_MS = 40;
const TURN_MS = 5;

/** A device on a pseudo-terminal that keeps each of its frames until it is acknowledged on the wire. */
export class SerialSender {
  readonly ledger: Ledger;
  readonly pair = new PtyPair();
  /** Frames that were sent more than once. */
  repeatedCount = 0;
  readonly #framing: Framing;
  /** When each was sent last, by number. */
  readonly #inFlight = new Map<number, number>();
  readonly #ending = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #port: OpenPort | undefined;
  #isProducing = true;
  #heard = '';

  constructor(device: string, framing: Framing) {
    this.ledger = new Ledger(device);
    this.#framing = framing;
  }

  get unfinishedCount(): number {
    return this.#inFlight.size;
  }

  async plug(): Promise<void> {
    await this.pair.plug();
    const port = await openPort({ path: this.pair.devicePath, line: LINE, lock: false });
    this.#port = port;
    this.#heard = '';
    void port.read((bytes) => {
      this.#hear(bytes.toString('latin1'));
      return undefined;
    });
  }

  /** As the power of the device goes: what is on the line is lost. */
  async unplug(): Promise<void> {
    const port = this.#port;
    this.#port = undefined;
    await this.pair.unplug();
    await port?.close();
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Nothing new; what is in flight is still sent until it is acknowledged. */
  stopProducing(): void {
    this.#isProducing = false;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
    await this.unplug();
    await this.pair.dispose();
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      if (this.#port !== undefined) await this.#sendSome();
      await delay(TURN_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #sendSome(): Promise<void> {
    const now = performance.now();
    for (const [number, sentAt] of this.#inFlight) {
      if (now - sentAt < AGAIN_MS) continue;
      this.repeatedCount += 1;
      await this.#send(number);
    }
    while (this.#isProducing && this.#isNear()) await this.#send(this.ledger.issue());
  }

  #isNear(): boolean {
    const [oldest = this.ledger.sentCount + 1] = this.#inFlight.keys();
    return this.ledger.sentCount - oldest + 1 < IN_FLIGHT;
  }

  async #send(number: number): Promise<void> {
    this.#inFlight.set(number, performance.now());
    const payload = JSON.stringify({ n: number, id: recordId(this.ledger.device, number) });
    const frame = this.#framing.encode(Buffer.from(payload));
    if (frame === undefined) throw new Error('a frame that cannot be');
    // It may be unplugged meanwhile.
    await this.#port?.write(frame).catch(() => undefined);
  }

  #hear(text: string): void {
    this.#heard += text;
    const complete = this.#heard.lastIndexOf('\n') + 1;
    for (const [, digits] of this.#heard.slice(0, complete).matchAll(ACK)) {
      const number = Number(digits);
      if (this.#inFlight.delete(number)) this.ledger.acknowledge(number);
    }
    this.#heard = this.#heard.slice(complete);
  }
}
