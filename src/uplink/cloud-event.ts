import type { Seq, StoredRecord } from '../core/record.ts';
import type { Stream } from '../core/stream.ts';

export interface CloudEventOptions {
  readonly gatewayId: string;
  readonly epoch: string;
  /** First part of `type`. */
  readonly typePrefix: string;
}

/** 9999-12-31T23:59:59.999Z: beyond it there is no RFC 3339. */
const LATEST_MS = 253_402_300_799_999;

/** The attributes of a record as a CloudEvent 1.0, the same in every encoding. */
export class CloudEvents {
  /** `{gateway}:{epoch}:`, the beginning of every id. */
  readonly idPrefix: string;
  readonly source: string;
  readonly #typePrefix: string;
  #isoMs = -1;
  #iso = '';

  constructor({ gatewayId, epoch, typePrefix }: CloudEventOptions) {
    this.idPrefix = `${gatewayId}:${epoch}:`;
    this.source = `/gateways/${gatewayId}`;
    this.#typePrefix = typePrefix;
  }

  /** Unique for ever, and ascending with the order of acceptance. */
  id(seq: Seq): string {
    return this.idPrefix + seqDigits(seq);
  }

  /** The id that the record had before it was tried again; undefined when it was not. */
  retryOf({ retryOf }: StoredRecord): string | undefined {
    return retryOf === undefined ? undefined : this.id(retryOf.seq);
  }

  type({ stream, eventType }: StoredRecord): string {
    return eventType === null ? this.streamType(stream) : `${this.streamType(stream)}.${eventType}`;
  }

  /** The type of the stream's records that have no type of their own. */
  streamType(stream: Stream): string {
    return `${this.#typePrefix}.${stream}`;
  }

  /** Time of observation, else of acceptance, in milliseconds. */
  timeMs(record: StoredRecord): number {
    return this.hasRecordedTime(record) ? (record.observedAt ?? record.receivedAt) : record.receivedAt;
  }

  /** Whether the time of acceptance says something that `time` does not. */
  hasRecordedTime({ observedAt }: StoredRecord): boolean {
    return observedAt !== null && observedAt >= 0 && observedAt <= LATEST_MS;
  }

  /** RFC 3339 UTC with milliseconds. */
  timestamp(ms: number): string {
    if (ms === this.#isoMs) return this.#iso;
    this.#isoMs = ms;
    this.#iso = new Date(ms >= 0 && ms <= LATEST_MS ? ms : 0).toISOString();
    return this.#iso;
  }
}

/** Twenty digits, so that text sorts as numbers do. */
export function seqDigits(seq: Seq): string {
  return String(seq).padStart(20, '0');
}
