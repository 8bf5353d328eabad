import type { Seq } from './record.ts';
import type { Stream } from './stream.ts';

/** Why records never reached an uplink, or messages never became records. */
export type GapReason = 'max_bytes' | 'max_age' | 'disk_reserve' | 'share' | 'overrun' | 'corruption' | 'operator';

/** The value of a record in the stream `gaps`, as it goes on the wire. Times are RFC 3339 UTC. */
export interface Gap {
  readonly uplink: string;
  readonly epoch: string;
  /** null in a summary over many devices. */
  readonly device: string | null;
  readonly stream: Stream;
  readonly first_seq: Seq | null;
  readonly last_seq: Seq | null;
  readonly count: number;
  readonly bytes: number;
  readonly first_time: string;
  readonly last_time: string;
  readonly reason: GapReason;
}
