import { Buffer } from 'node:buffer';

export type Qos = 0 | 1 | 2;

export function lowerQos(one: Qos, other: Qos): Qos {
  if (one < other) return one;
  return other;
}

/** A message on its way to local subscribers, in the shape that aedes hands around. */
export interface LocalPacket {
  readonly cmd: 'publish';
  readonly brokerId: string;
  /** Only grows; aedes takes a lower number than the last one it delivered for a repetition. */
  readonly brokerCounter: number;
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly dup: boolean;
  /** Who sent it, or null for the broker. */
  readonly clientId: string | null;
}

/** What a kept packet counts against a limit in bytes. */
export function keptBytes({ topic, payload }: LocalPacket): number {
  return topic.length + payload.length;
}

/** A packet that may be kept: its payload no longer holds on to the chunk of the socket it was cut from. */
export function detached(packet: LocalPacket): LocalPacket {
  return { ...packet, payload: Buffer.from(packet.payload) };
}
