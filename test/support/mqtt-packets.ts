/**
 * The few MQTT 3.1.1 packets that a publisher needs, as bytes. Own code on purpose: a library's client hides
 * packet ids, DUP flags and the moment of each acknowledgement, which are exactly what the crash tests steer.
 */

import { Buffer } from 'node:buffer';

export const CONNACK = 2;
export const PUBACK = 4;
export const PUBREC = 5;
export const PUBREL = 6;
export const PUBCOMP = 7;
export const PINGRESP = 13;

export interface ConnectOptions {
  readonly clientId: string;
  readonly clean: boolean;
  readonly keepAliveS: number;
}

export interface PublishOptions {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1 | 2;
  /** Ignored for QoS 0. */
  readonly packetId: number;
  readonly dup?: boolean;
}

/** `word`: first two bytes of the body, so the packet id of every acknowledgement, flags and code of a CONNACK. */
export type OnPacket = (type: number, word: number) => void;

function remainingLength(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length;
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? digit | 128 : digit);
  } while (rest > 0);
  return Buffer.from(bytes);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  const prefixed = Buffer.alloc(2 + bytes.byteLength);
  prefixed.writeUInt16BE(bytes.byteLength, 0);
  bytes.copy(prefixed, 2);
  return prefixed;
}

function packet(firstByte: number, body: readonly Buffer[]): Buffer {
  const length = body.reduce((sum, part) => sum + part.byteLength, 0);
  return Buffer.concat([Buffer.from([firstByte]), remainingLength(length), ...body]);
}

export function connectPacket({ clientId, clean, keepAliveS }: ConnectOptions): Buffer {
  const head = Buffer.from([4, clean ? 2 : 0, keepAliveS >> 8, keepAliveS & 255]);
  return packet(0x10, [text('MQTT'), head, text(clientId)]);
}

export function publishPacket({ topic, payload, qos, packetId, dup = false }: PublishOptions): Buffer {
  const id = qos === 0 ? Buffer.alloc(0) : Buffer.from([packetId >> 8, packetId & 255]);
  return packet(0x30 | (qos << 1) | (dup ? 8 : 0), [text(topic), id, payload]);
}

/** One filter, QoS 0, packet id 1. */
export function subscribePacket(filter: string): Buffer {
  return packet(0x82, [Buffer.from([0, 1]), text(filter), Buffer.from([0])]);
}

export function pubrelPacket(packetId: number): Buffer {
  return Buffer.from([0x62, 2, packetId >> 8, packetId & 255]);
}

export const PINGREQ = Buffer.from([0xc0, 0]);
export const DISCONNECT = Buffer.from([0xe0, 0]);

/** Cuts what arrives into packets. A publisher receives only short ones: a length over 127 is an error. */
export class PacketReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Calls `onPacket` for every packet that is complete with this chunk. */
  read(chunk: Buffer, onPacket: OnPacket): void {
    const data = this.#rest.byteLength === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (data.byteLength - at >= 2) {
      const length = data.readUInt8(at + 1);
      if (length > 127) throw new Error(`unexpected long packet of type ${data.readUInt8(at) >> 4}`);
      if (data.byteLength - at < 2 + length) break;
      onPacket(data.readUInt8(at) >> 4, length >= 2 ? data.readUInt16BE(at + 2) : 0);
      at += 2 + length;
    }
    this.#rest = data.subarray(at);
  }
}
