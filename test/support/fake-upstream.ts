import { SluiceError } from '../../src/core/errors.ts';
import type { LaneId } from '../../src/core/lane-log.ts';
import type { Seq, StoredRecord } from '../../src/core/record.ts';
import type { Outcome, SendOptions, Upstream } from '../../src/core/upstream.ts';

export interface Sent {
  readonly lane: LaneId;
  readonly records: readonly StoredRecord[];
}

/** An upstream in memory that does what the test says. */
export class FakeUpstream implements Upstream {
  /** What it took, in order, doubled records included. */
  readonly taken: StoredRecord[] = [];
  /** Every call of `send`, whatever became of it. */
  readonly sends: Sent[] = [];
  readonly finished: LaneId[] = [];
  openCount = 0;
  probeCount = 0;
  closeCount = 0;
  isOpen = false;
  /** Why it cannot be reached, or undefined. */
  fault: SluiceError | undefined;
  /** What becomes of a batch that reaches it. */
  onSend: (sent: Sent, after: Seq) => Promise<Outcome> = (sent) => Promise.resolve(this.take(sent.records));

  async open(): Promise<void> {
    this.openCount += 1;
    if (this.fault !== undefined) throw this.fault;
    this.isOpen = true;
  }

  async send(lane: LaneId, after: Seq, records: readonly StoredRecord[], { signal }: SendOptions): Promise<Outcome> {
    const sent = { lane, records };
    this.sends.push(sent);
    const error = this.fault ?? (signal.aborted || !this.isOpen ? notOpen() : undefined);
    if (error !== undefined) return { upTo: after, rejected: [], error };
    return await this.onSend(sent, after);
  }

  bytesOf(_lane: LaneId, { value }: StoredRecord): number {
    return value.byteLength;
  }

  finish(lane: LaneId): void {
    this.finished.push(lane);
  }

  async probe(): Promise<void> {
    this.probeCount += 1;
    if (this.fault !== undefined) throw this.fault;
    if (!this.isOpen) throw notOpen();
  }

  async close(): Promise<void> {
    this.closeCount += 1;
    this.isOpen = false;
  }

  /** Takes all of them. */
  take(records: readonly StoredRecord[]): Outcome {
    this.taken.push(...records);
    return { upTo: records.at(-1)?.seq ?? 0, rejected: [], error: null };
  }
}

export function retryable(code = 'kafka_unreachable'): SluiceError {
  return new SluiceError('nobody answers', { code, retryable: true, hint: 'check the network' });
}

export function blocking(code = 'unknown_topic_or_partition'): SluiceError {
  return new SluiceError('there is no such topic', { code, hint: 'create it' });
}

function notOpen(): SluiceError {
  return new SluiceError('it is not open', { code: 'not_open', retryable: true });
}
