/**
 * One subscriber with a session that survives its gateway. It comes and goes, sometimes in the middle of an exchange,
 * and does with every packet exactly what the standard asks, so that what it saw twice was the gateway's doing.
 */

import { Buffer } from 'node:buffer';
import { connect, type Socket } from 'node:net';
import { parseRecordId } from './ledger.ts';
import { ackBytes, connectBytes, PacketCutter, packetIdOf, type RawPacket, subscribeBytes } from './mqtt-raw-client.ts';
import type { SeededRandom } from './random.ts';

export interface SubscriberOptions {
  readonly clientId: string;
  readonly port: number;
  readonly filter: string;
  readonly qos: 1 | 2;
  readonly random: SeededRandom;
}

const RECONNECT_MS = 25;
const RECORD_ID = /"id":"([^"]+)"/g;

export class MqttSubscriber {
  readonly #options: SubscriberOptions;
  /** How often each record came, by device and number. */
  readonly #seen = new Map<string, Map<number, number>>();
  readonly #last = new Map<string, number>();
  /** Packet ids between PUBREC and PUBREL [MQTT-4.3.3-2]. */
  readonly #received = new Set<number>();
  #socket: Socket | undefined;
  #leaving: NodeJS.Timeout | undefined;
  #state: 'roaming' | 'staying' | 'closed' = 'roaming';
  isSubscribed = false;
  arrivedCount = 0;
  disorderedCount = 0;
  /** CONNACK said that there is no session, although there must be one. */
  forgottenCount = 0;

  get qos(): 1 | 2 {
    return this.#options.qos;
  }

  constructor(options: SubscriberOptions) {
    this.#options = options;
  }

  start(): void {
    this.#connect();
  }

  /** No more leaving: what is queued arrives. */
  stay(): void {
    this.#state = 'staying';
    clearTimeout(this.#leaving);
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#leaving);
    this.#socket?.destroy();
  }

  timesSeen(device: string, number: number): number {
    return this.#seen.get(device)?.get(number) ?? 0;
  }

  #connect(): void {
    if (this.#state === 'closed') return;
    const { clientId, port } = this.#options;
    const cutter = new PacketCutter();
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket = socket;
    socket.on('connect', () => socket.write(connectBytes({ clientId, clean: false })));
    socket.on('data', (chunk: Buffer) => {
      const answers = cutter.cut(chunk).flatMap((packet) => this.#receive(packet));
      // What is left out here was received all the same, as when the network breaks.
      if (this.#mayLeave(0.02)) socket.destroy();
      else if (answers.length > 0) socket.write(Buffer.concat(answers));
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(this.#leaving);
      const awayMs = this.#mayLeave(0.5) ? this.#options.random.between(50, 500) : RECONNECT_MS;
      setTimeout(() => this.#connect(), awayMs);
    });
  }

  #mayLeave(share: number): boolean {
    return this.#state === 'roaming' && this.isSubscribed && this.#options.random.chance(share);
  }

  #receive(packet: RawPacket): readonly Buffer[] {
    switch (packet.type) {
      case 'connack':
        return this.#connected(packet);
      case 'suback':
        this.isSubscribed = true;
        return [];
      case 'publish':
        return this.#published(packet);
      case 'pubrel': {
        const packetId = packet.body.readUInt16BE(0);
        this.#received.delete(packetId);
        return [ackBytes('pubcomp', packetId)];
      }
      default:
        return [];
    }
  }

  #connected({ body }: RawPacket): readonly Buffer[] {
    const { filter, qos, random } = this.#options;
    if (this.#state === 'roaming' && this.isSubscribed) {
      this.#leaving = setTimeout(() => this.#socket?.destroy(), random.between(20, 800));
    }
    if (body[0] === 1 && this.isSubscribed) return [];
    if (this.isSubscribed) this.forgottenCount += 1;
    this.#received.clear();
    return [subscribeBytes(1, [[filter, qos]])];
  }

  #published(packet: RawPacket): readonly Buffer[] {
    const qos = (packet.flags >> 1) & 3;
    const packetId = packetIdOf(packet);
    const isRepeated = qos === 2 && this.#received.has(packetId);
    if (!isRepeated) this.#see(packet.body.toString());
    if (qos === 1) return [ackBytes('puback', packetId)];
    this.#received.add(packetId);
    return [ackBytes('pubrec', packetId)];
  }

  #see(text: string): void {
    for (const [, id = ''] of text.matchAll(RECORD_ID)) {
      const { device = '', number = 0 } = parseRecordId(id) ?? {};
      const times = this.#seen.get(device) ?? new Map<number, number>();
      this.#seen.set(device, times.set(number, (times.get(number) ?? 0) + 1));
      this.arrivedCount += 1;
      if ((times.get(number) ?? 0) > 1) continue;
      if (number < (this.#last.get(device) ?? 0)) this.disorderedCount += 1;
      this.#last.set(device, number);
    }
  }
}
