import { join } from 'node:path';
import type { Batch, LogReader } from '../../core/lane-log.ts';
import type { Seq, StoredRecord } from '../../core/record.ts';
import { isIntact, readRecord } from '../../core/record-codec.ts';
import type { Stream } from '../../core/stream.ts';
import { isDamageAtOpening } from '../file-errors.ts';
import { SqliteLogReader } from '../log/reader.ts';
import { STATE_NOTES } from '../notes.ts';
import { isEmptyFile } from '../sqlite.ts';
import { LeafScan } from './leaf-scan.ts';
import { Pages } from './pages.ts';
import { isSalvageUnfinished, readMeta } from './read-meta.ts';
import { SeqSet } from './seq-set.ts';
import { setAsideName } from './set-aside.ts';

const PAGE = { maxRecords: 5_000, maxBytes: 8 * 1024 * 1024 };
const SCAN_PAGES = 256;

interface Place {
  readonly logFile: string;
  readonly stateFile: string;
  readonly stream: Stream;
}

/**
 * Every intact record that can be read of a stream, each once: in the order of the seqs, and behind the first damage by a
 * scan of the leaf pages, in no order; then what is not put back yet of a damaged log. Changes nothing.
 */
export function* readEveryRecord(dataDir: string, stream: Stream): Generator<StoredRecord> {
  const seen = new SeqSet();
  const place = { logFile: join(dataDir, 'log.db'), stateFile: join(dataDir, 'state.db'), stream };
  for (const record of readEverywhere(place)) if (seen.add(record.seq)) yield record;
}

/** From the beginning of a stream to its end. */
export function* batchesOf(reader: LogReader, stream: Stream): Generator<Batch> {
  for (let after: Seq = 0; ; ) {
    const batch = reader.read(stream, after, PAGE);
    if (batch.upTo === after) return;
    yield batch;
    after = batch.upTo;
  }
}

function* readEverywhere(place: Place): Generator<StoredRecord> {
  const { logFile, stateFile } = place;
  try {
    // SQLite would remove a write-ahead log beside it.
    if (isEmptyFile(logFile)) yield* scanned(logFile, place, STATE_NOTES.logRoots);
    else yield* readInOrder(place);
  } catch (error) {
    if (!isDamageAtOpening(error)) throw error;
    yield* scanned(logFile, place, STATE_NOTES.logRoots);
  }
  if (isSalvageUnfinished(logFile, stateFile)) yield* scanned(setAsideName(logFile), place, STATE_NOTES.salvageRoots);
}

function* readInOrder({ logFile, stream }: Place): Generator<StoredRecord> {
  const reader = SqliteLogReader.looking(logFile);
  try {
    for (const { records } of batchesOf(reader, stream)) yield* records;
  } finally {
    reader.close();
  }
}

function* scanned(file: string, { stateFile, stream }: Place, roots: string): Generator<StoredRecord> {
  const pages = new Pages(file, () => true);
  const scan = new LeafScan(pages, rootsOf(stateFile, roots));
  while (!scan.isDone) {
    for (const { stream: found, seq, body } of scan.step(SCAN_PAGES)) {
      if (found === stream && isIntact(body, seq)) yield readRecord(stream, seq, body);
    }
  }
  pages.close();
}

/** As a start wrote them down. */
function rootsOf(stateFile: string, name: string): Partial<Record<Stream, number>> {
  const noted = readMeta(stateFile, name) ?? readMeta(`${stateFile}.good`, name);
  return JSON.parse(noted ?? '{}') as Partial<Record<Stream, number>>;
}
