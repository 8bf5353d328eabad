import type { Seq } from '../../../core/record.ts';
import type { CommittedOffset } from '../kafka-client.ts';

/** How far a lane is at Kafka, and who brought it there: an offset with its metadata. */
export interface Claim {
  readonly seq: Seq;
  /** Of the log whose seq it is. */
  readonly epoch: string;
  /** Of the gateway. */
  readonly instance: string;
  /** For people. */
  readonly host: string;
}

export function offsetOf({ seq, epoch, instance, host }: Claim): CommittedOffset {
  return { offset: seq, metadata: JSON.stringify({ epoch, instance, host }) };
}

/** Undefined for what no gateway wrote, such as an offset that an operator set. */
export function claimOf({ offset, metadata }: CommittedOffset): Claim | undefined {
  const { epoch, instance, host } = parsed(metadata);
  if (typeof epoch !== 'string' || typeof instance !== 'string' || typeof host !== 'string') return undefined;
  return { seq: offset, epoch, instance, host };
}

function parsed(metadata: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(metadata);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
