import { Buffer } from 'node:buffer';
import { acceptedNow } from '../../core/acceptance.ts';
import type { Gap, GapReason } from '../../core/gap.ts';
import type { LaneId } from '../../core/lane-log.ts';
import type { Seq } from '../../core/record.ts';
import { encodeRecord } from '../../core/record-codec.ts';
import type { StoreClock } from '../store-clock.ts';
import type { Lanes } from './lanes.ts';
import type { Records } from './records.ts';

/** What did not reach an uplink. Times in UTC milliseconds. */
export interface Loss {
  /** null for many, or when it is not known. */
  readonly device: string | null;
  /** null for what never became a record. */
  readonly firstSeq: Seq | null;
  readonly lastSeq: Seq | null;
  readonly count: number;
  readonly bytes: number;
  readonly firstTime: number;
  readonly lastTime: number;
}

/** Tells uplinks of losses, by records in `gaps`. Belongs into the store's transaction. */
export class GapReports {
  readonly #records: Records;
  readonly #lanes: Lanes;
  readonly #epoch: string;
  readonly #clock: StoreClock;

  constructor(parts: { records: Records; lanes: Lanes; epoch: string; clock: StoreClock }) {
    this.#records = parts.records;
    this.#lanes = parts.lanes;
    this.#epoch = parts.epoch;
    this.#clock = parts.clock;
  }

  report({ uplink, stream }: LaneId, loss: Loss, reason: GapReason): void {
    const gap: Gap = {
      uplink,
      epoch: this.#epoch,
      device: loss.device,
      stream,
      first_seq: loss.firstSeq,
      last_seq: loss.lastSeq,
      count: loss.count,
      bytes: loss.bytes,
      first_time: new Date(loss.firstTime).toISOString(),
      last_time: new Date(loss.lastTime).toISOString(),
      reason,
    };
    const body = encodeRecord(
      {
        stream: 'gaps',
        device: loss.device ?? '',
        ...acceptedNow(this.#clock),
        observedAt: null,
        contentType: 'application/json',
        eventType: null,
        channel: uplink,
        value: Buffer.from(JSON.stringify(gap)),
      },
      0,
    );
    const seq = this.#records.append('gaps', body);
    this.#records.directed.add('gaps', seq, uplink);
    this.#lanes.excludeFromOthers('gaps', uplink);
  }
}
