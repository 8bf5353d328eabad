/**
 * One simulated device that survives its gateway: it reconnects, sends again what was not acknowledged, and keeps
 * a ledger of every record. Packet ids come from the smallest free number, so they are used again all the time.
 */

import { Buffer } from 'node:buffer';
import { connect, type Socket } from 'node:net';
import { Ledger, recordId } from './ledger.ts';
import {
  CONNACK,
  connectPacket,
  DISCONNECT,
  PacketReader,
  PUBACK,
  PUBCOMP,
  PUBREC,
  publishPacket,
  pubrelPacket,
} from './mqtt-packets.ts';
import type { SeededRandom } from './random.ts';

/**
 * What a device does with unacknowledged messages when it connects again:
 * `resume`: clean session off; sends all of them again with DUP and the same packet ids.
 * `forget`: clean session off, but it lost its memory: unless the broker still knows the session it begins with new
 * messages, on the same packet ids, without DUP.
 * `clean`: clean session on; begins with new messages.
 */
export type SessionKind = 'resume' | 'forget' | 'clean';

export interface SenderOptions {
  readonly device: string;
  readonly port: number;
  readonly kind: SessionKind;
  readonly qos: 1 | 2;
  readonly inFlight: number;
  /** Records of the largest batch; 1 for none. */
  readonly maxBatch: number;
  readonly messagesPerS: number;
  readonly random: SeededRandom;
}

interface Pending {
  readonly packetId: number;
  readonly topic: string;
  readonly payload: Buffer;
  readonly numbers: readonly number[];
  released: boolean;
}

const TICK_MS = 5;
const RECONNECT_MS = 25;

export class MqttSender {
  readonly ledger: Ledger;
  readonly #options: SenderOptions;
  /** In the order of sending. */
  readonly #pending = new Map<number, Pending>();
  #socket: Socket | undefined;
  #link: 'offline' | 'online' | 'closed' = 'offline';
  #producing = false;
  #ticker: NodeJS.Timeout | undefined;
  #budget = 0;
  #tickedAt = 0;
  /** Acknowledgements that fit nothing in flight: a broken broker. */
  strayCount = 0;
  connectCount = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.ledger = new Ledger(options.device);
  }

  start(): void {
    this.#producing = true;
    this.#tickedAt = performance.now();
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#connect();
  }

  /** No new messages; what is in flight is still brought to its end. */
  stopProducing(): void {
    this.#producing = false;
  }

  /** Loses its connection, and comes back. */
  interrupt(): void {
    this.#socket?.destroy();
  }

  get unfinishedCount(): number {
    return this.#pending.size;
  }

  close(): void {
    this.#link = 'closed';
    clearInterval(this.#ticker);
    this.#socket?.end(DISCONNECT);
  }

  #connect(): void {
    if (this.#link === 'closed') return;
    const reader = new PacketReader();
    const socket = connect({ port: this.#options.port, host: '127.0.0.1', noDelay: true });
    this.#socket = socket;
    socket.on('connect', () => {
      const clean = this.#options.kind === 'clean';
      socket.write(connectPacket({ clientId: this.#options.device, clean, keepAliveS: 0 }));
    });
    socket.on('data', (chunk: Buffer) => reader.read(chunk, (type, word) => this.#receive(socket, type, word)));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      if (this.#link === 'online') this.#link = 'offline';
      setTimeout(() => this.#connect(), RECONNECT_MS);
    });
  }

  #receive(socket: Socket, type: number, word: number): void {
    if (type === CONNACK) this.#resume(socket, word);
    else if (type === PUBACK || type === PUBREC || type === PUBCOMP) this.#acknowledged(socket, type, word);
  }

  #resume(socket: Socket, connack: number): void {
    if ((connack & 255) !== 0) {
      socket.destroy();
      return;
    }
    this.#link = 'online';
    this.connectCount += 1;
    const sessionPresent = connack >> 8 === 1;
    if (this.#options.kind !== 'resume' && !sessionPresent) this.#pending.clear();
    const packets = [...this.#pending.values()].map((message) =>
      message.released ? pubrelPacket(message.packetId) : this.#publish(message, true),
    );
    if (packets.length > 0) socket.write(Buffer.concat(packets));
    this.#fill();
  }

  #acknowledged(socket: Socket, type: number, packetId: number): void {
    const message = this.#pending.get(packetId);
    const expected = this.#options.qos === 1 ? PUBACK : message?.released ? PUBCOMP : PUBREC;
    if (message === undefined || (type !== expected && type !== PUBREC)) {
      this.strayCount += 1;
      return;
    }
    for (const number of message.numbers) this.ledger.acknowledge(number);
    if (type === PUBREC) {
      message.released = true;
      socket.write(pubrelPacket(packetId));
      return;
    }
    this.#pending.delete(packetId);
    this.#fill();
  }

  #tick(): void {
    const now = performance.now();
    this.#budget += ((now - this.#tickedAt) / 1000) * this.#options.messagesPerS;
    this.#budget = Math.min(this.#budget, this.#options.inFlight);
    this.#tickedAt = now;
    this.#fill();
  }

  #fill(): void {
    const packets: Buffer[] = [];
    while (this.#mayProduce()) {
      this.#budget -= 1;
      const message = this.#produce();
      this.#pending.set(message.packetId, message);
      packets.push(this.#publish(message, false));
    }
    if (packets.length > 0) this.#socket?.write(Buffer.concat(packets));
  }

  #mayProduce(): boolean {
    return (
      this.#link === 'online' && this.#producing && this.#budget >= 1 && this.#pending.size < this.#options.inFlight
    );
  }

  #produce(): Pending {
    const { device, maxBatch, random } = this.#options;
    let packetId = 1;
    while (this.#pending.has(packetId)) packetId += 1;
    const kind = random.next();
    const batch = kind < 0.7 && maxBatch > 1 && random.chance(0.2) ? random.between(2, maxBatch) : 1;
    const numbers = Array.from({ length: batch }, () => this.ledger.issue());
    const bodies = numbers.map((number) => `{"id":"${recordId(device, number)}","value":${number % 100}}`);
    const suffix = kind < 0.7 ? 'telemetry' : kind < 0.9 ? 'events/tick' : 'state/reported';
    const payload = Buffer.from(batch === 1 ? (bodies[0] ?? '') : `[${bodies.join(',')}]`);
    return { packetId, topic: `devices/${device}/${suffix}`, payload, numbers, released: false };
  }

  #publish({ topic, payload, packetId }: Pending, dup: boolean): Buffer {
    return publishPacket({ topic, payload, packetId, dup, qos: this.#options.qos });
  }
}
