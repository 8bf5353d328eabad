import type { NewRecord, Seq, StoredRecord } from '../../src/core/record.ts';
import { newRecord } from './records.ts';

/** A telemetry record of `device-1` with this seq, but for what the test says. */
export function storedRecord(seq: Seq, changes: Partial<NewRecord> = {}): StoredRecord {
  return { ...newRecord(changes), seq };
}

/** As many with consecutive seqs. */
export function storedRecords(firstSeq: Seq, count: number, changes: Partial<NewRecord> = {}): StoredRecord[] {
  return Array.from({ length: count }, (_, index) => storedRecord(firstSeq + index, changes));
}
