import type { Buffer } from 'node:buffer';
import type { Qos } from '../../core/session.ts';

export type { Qos };

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
export function keptBytes({ topic, payload }: { readonly topic: string; readonly payload: Buffer }): number {
  return topic.length + payload.length;
}
