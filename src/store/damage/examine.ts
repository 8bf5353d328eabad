import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { messageOf } from '../../core/errors.ts';
import type { Batch, LogReader } from '../../core/ports.ts';
import type { Seq, StoredRecord } from '../../core/record.ts';
import { isIntact, readRecord } from '../../core/record-codec.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { SqliteLogReader } from '../log/reader.ts';
import { isDamage, openForReading } from '../sqlite.ts';
import { LeafScan } from './leaf-scan.ts';
import { hasLostCommits, Pages } from './pages.ts';
import { setAsideBytes, setAsideName } from './set-aside.ts';
import { suspectMark } from './suspect.ts';

const PAGE = { maxRecords: 5_000, maxBytes: 8 * 1024 * 1024 };
const SCAN_PAGES = 256;

export interface Finding {
  readonly file: string;
  /** `repair`: the next start, or `--repair`, puts it right as far as that is possible. */
  readonly kind: 'good' | 'note' | 'repair';
  /** In plain words. */
  readonly text: string;
}

export interface Examination {
  readonly findings: readonly Finding[];
  /** Intact records per stream; undefined when that cannot be read. */
  readonly records: Readonly<Partial<Record<Stream, number>>>;
}

/** Looks at both files from their beginning to their end; changes nothing, and disturbs no gateway that runs. */
export function examineStore(dataDir: string): Examination {
  const [logFile, stateFile] = [join(dataDir, 'log.db'), join(dataDir, 'state.db')];
  const findings = [...examineFile(stateFile), ...examineFile(logFile)];
  if (existsSync(suspectMark(logFile))) {
    findings.push({ file: logFile, kind: 'repair', text: 'it was found damaged while it was in use' });
  }
  const { records, damaged } = isReadable(findings, logFile) ? countRecords(logFile) : { records: {}, damaged: 0 };
  if (damaged > 0) {
    const text = `the checksums of ${damaged} records do not hold: they are never sent, but kept among the rejects`;
    findings.push({ file: logFile, kind: 'note', text });
  }
  return { findings, records };
}

/**
 * Every intact record that can be read, stream after stream; of a damaged log by a scan of its leaf pages, in no order.
 * Changes nothing.
 */
export function* readEveryRecord(dataDir: string, stream: Stream): Generator<StoredRecord> {
  const file = join(dataDir, 'log.db');
  try {
    yield* readInOrder(file, stream);
  } catch (error) {
    if (!isDamage(error)) throw error;
    yield* scanned(file, stream, rootsOf(dataDir));
  }
}

function examineFile(file: string): Finding[] {
  const found: Finding[] = [];
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined) return [{ file, kind: 'note', text: 'it does not exist; the next start makes a new one' }];
  if (hasLostCommits(`${file}-wal`)) {
    found.push({ file, kind: 'repair', text: 'its write-ahead log is damaged: what was stored last is lost' });
  }
  const problem = quickCheck(file);
  if (problem === null) found.push({ file, kind: 'good', text: `${size} bytes, whole` });
  else found.push({ file, kind: 'repair', text: `it is damaged: ${problem}` });
  const aside = setAsideBytes(file);
  if (aside > 0) {
    found.push({
      file: setAsideName(file),
      kind: 'note',
      text: `${aside} bytes of an earlier damage; it may be removed`,
    });
  }
  return found;
}

function quickCheck(file: string): string | null {
  try {
    const db = openForReading(file);
    try {
      const result = String(db.pragma('quick_check(1)', { simple: true }));
      return result === 'ok' ? null : result.replaceAll('\n', ' ');
    } finally {
      db.close();
    }
  } catch (error) {
    if (error instanceof Database.SqliteError) return messageOf(error);
    throw error;
  }
}

function isReadable(findings: readonly Finding[], file: string): boolean {
  return findings.some((finding) => finding.file === file && finding.kind === 'good');
}

function countRecords(file: string): { records: Record<Stream, number>; damaged: number } {
  let damaged = 0;
  const reader = new SqliteLogReader(file);
  const counts = STREAMS.map((stream) => {
    let count = 0;
    for (const batch of batchesOf(reader, stream)) {
      count += batch.records.length;
      damaged += batch.damaged.length;
    }
    return [stream, count] as const;
  });
  reader.close();
  return { records: Object.fromEntries(counts) as Record<Stream, number>, damaged };
}

function* readInOrder(file: string, stream: Stream): Generator<StoredRecord> {
  const reader = new SqliteLogReader(file);
  try {
    for (const { records } of batchesOf(reader, stream)) yield* records;
  } finally {
    reader.close();
  }
}

function* batchesOf(reader: LogReader, stream: Stream): Generator<Batch> {
  for (let after: Seq = 0; ; ) {
    const batch = reader.read(stream, after, PAGE);
    if (batch.upTo === after) return;
    yield batch;
    after = batch.upTo;
  }
}

function* scanned(file: string, stream: Stream, roots: Partial<Record<Stream, number>>): Generator<StoredRecord> {
  const pages = new Pages(file);
  const scan = new LeafScan(pages, roots);
  while (!scan.isDone) {
    for (const { stream: found, seq, body } of scan.step(SCAN_PAGES)) {
      if (found === stream && isIntact(body, seq)) yield readRecord(stream, seq, body);
    }
  }
  pages.close();
}

/** As the last start wrote them down. */
function rootsOf(dataDir: string): Partial<Record<Stream, number>> {
  const db = openForReading(join(dataDir, 'state.db'));
  try {
    const noted = db.prepare<[], string>("SELECT value FROM meta WHERE name = 'log_roots'").pluck().get();
    return JSON.parse(noted ?? '{}') as Partial<Record<Stream, number>>;
  } finally {
    db.close();
  }
}
