/**
 * An independent look at what a gateway left behind: counts the rows of `log.db` itself instead of believing the
 * counters beside them, and reads what arrived upstream from the files or from Kafka.
 */

import type { Buffer } from 'node:buffer';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import type { TimeQuality } from '../../src/core/record.ts';
import { isIntact, readRecord } from '../../src/core/record-codec.ts';
import { STREAMS, type Stream } from '../../src/core/stream.ts';

export interface LaneCount {
  readonly uplink: string;
  readonly stream: Stream;
  readonly acceptedCount: number;
  readonly deliveredCount: number;
  readonly rejectedCount: number;
  readonly droppedCount: number;
  /** Rows behind the cursor and in its backfills, counted one by one; for `gaps` only those that concern the uplink. */
  readonly pendingCount: number;
}

export interface StoreCount {
  readonly lanes: readonly LaneCount[];
  /** Ranges that lanes skipped and have not delivered whole. */
  readonly backfillCount: number;
  /** Rows of all streams. */
  readonly storedCount: number;
  /** What does not add up, in words; empty when all is well. */
  readonly problems: readonly string[];
}

interface LaneRow {
  readonly uplink: string;
  readonly stream: Stream;
  readonly cursor: number;
  readonly base: number;
  readonly delivered: number;
  readonly rejected: number;
  readonly dropped: number;
  /** What it skipped and still has to deliver. */
  readonly backfills: readonly Stretch[];
}

/** (after, upTo] */
interface Stretch {
  readonly after: number;
  readonly upTo: number;
}

interface StreamRow {
  readonly stream: Stream;
  readonly accepted: number;
  readonly removed: number;
}

/** Counts a store whose gateway does not run. `deep` also checks the CRC of every record. */
export function countStore(dataDir: string, { deep = false } = {}): StoreCount {
  const db = new Database(join(dataDir, 'log.db'), { readonly: true, fileMustExist: true });
  try {
    const problems: string[] = [];
    let storedCount = 0;
    const streams = db.prepare<[], StreamRow>('SELECT stream, accepted, removed FROM streams').all();
    for (const { stream, accepted, removed } of streams) {
      const stored = countRows(db, stream, ALL);
      storedCount += stored;
      if (stored !== accepted - removed) {
        problems.push(`${stream}: ${stored} rows stored, but accepted ${accepted} - removed ${removed}`);
      }
      if (deep) problems.push(...damagedRows(db, stream));
    }
    const lanes = lanesOf(db);
    const counts = lanes.map((lane) => countLane(db, lane, streams));
    const backfillCount = sum(lanes.map(({ backfills }) => backfills.length));
    return { lanes: counts, storedCount, backfillCount, problems: [...problems, ...counts.flatMap(imbalance)] };
  } finally {
    db.close();
  }
}

/** Device and value of each telemetry record of a store whose gateway does not run. */
export function* readTelemetry(dataDir: string): Generator<{ readonly device: string; readonly value: string }> {
  const db = new Database(join(dataDir, 'log.db'), { readonly: true, fileMustExist: true });
  try {
    for (const { seq, body } of rows(db, 'telemetry', ALL)) {
      const { device, value } = readRecord('telemetry', seq, body);
      yield { device, value: value.toString() };
    }
  } finally {
    db.close();
  }
}

export interface Progress {
  readonly delivered: number;
  readonly pending: number;
}

/** The lanes' own counters together, read beside a running gateway; for waiting, not for judging. */
export function progress(dataDir: string): Progress {
  const lanes = [...laneProgress(dataDir).values()];
  return { delivered: sum(lanes.map(({ delivered }) => delivered)), pending: sum(lanes.map(({ pending }) => pending)) };
}

/** The same of each lane, by uplink and stream. */
export function laneProgress(dataDir: string): ReadonlyMap<string, Progress> {
  const db = new Database(join(dataDir, 'log.db'), { readonly: true, fileMustExist: true });
  try {
    const lanes = db
      .prepare<[], Progress & { readonly lane: string }>(
        `SELECT uplink || '/' || stream AS lane, delivered, accepted - base - delivered - rejected - dropped AS pending
         FROM lanes JOIN streams USING (stream)`,
      )
      .all();
    return new Map(lanes.map(({ lane, ...counts }) => [lane, counts]));
  } finally {
    db.close();
  }
}

/** The `id` in the value of each record that some lane still has to deliver; of a store whose gateway does not run. */
export function pendingIds(dataDir: string): ReadonlySet<string> {
  const db = new Database(join(dataDir, 'log.db'), { readonly: true, fileMustExist: true });
  try {
    const ids = new Set<string>();
    const lanes = lanesOf(db);
    for (const lane of lanes) {
      for (const stretch of stretchesOf(lane)) {
        for (const { seq, body } of rows(db, lane.stream, stretch)) {
          const id = RECORD_ID.exec(readRecord(lane.stream, seq, body).value.toString())?.[1];
          if (id !== undefined) ids.add(id);
        }
      }
    }
    return ids;
  } finally {
    db.close();
  }
}

function countLane(db: Database.Database, lane: LaneRow, streams: readonly StreamRow[]): LaneCount {
  const accepted = streams.find(({ stream }) => stream === lane.stream)?.accepted ?? 0;
  return {
    uplink: lane.uplink,
    stream: lane.stream,
    acceptedCount: accepted - lane.base,
    deliveredCount: lane.delivered,
    rejectedCount: lane.rejected,
    droppedCount: lane.dropped,
    pendingCount:
      hasDirected(db, lane.stream) || lane.stream === 'gaps'
        ? countOwn(db, lane)
        : sum(stretchesOf(lane).map((stretch) => countRows(db, lane.stream, stretch))),
  };
}

function lanesOf(db: Database.Database): LaneRow[] {
  return db.prepare<[], Omit<LaneRow, 'backfills'>>('SELECT * FROM lanes').all().map(withBackfills(db));
}

function withBackfills(db: Database.Database): (lane: Omit<LaneRow, 'backfills'>) => LaneRow {
  const find = db.prepare<[string, string], Stretch>(
    `SELECT cursor AS after, up_to AS upTo FROM ranges
     WHERE uplink = ? AND stream = ? AND kind = 'backfill' AND cursor < up_to`,
  );
  return (lane) => ({ ...lane, backfills: find.all(lane.uplink, lane.stream) });
}

function stretchesOf({ cursor, backfills }: LaneRow): Stretch[] {
  return [...backfills, { after: cursor, upTo: Number.MAX_SAFE_INTEGER }];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function imbalance(lane: LaneCount): string[] {
  const { uplink, stream, acceptedCount, deliveredCount, rejectedCount, droppedCount, pendingCount } = lane;
  if (acceptedCount === deliveredCount + rejectedCount + droppedCount + pendingCount) return [];
  return [
    `${uplink}/${stream}: accepted ${acceptedCount} ≠ delivered ${deliveredCount} + rejected ${rejectedCount}` +
      ` + dropped ${droppedCount} + pending ${pendingCount}`,
  ];
}

const ALL: Stretch = { after: 0, upTo: Number.MAX_SAFE_INTEGER };

function countRows(db: Database.Database, stream: Stream, { after, upTo }: Stretch): number {
  const count = db.prepare<[number, number], number>(`SELECT count(*) FROM ${stream} WHERE seq > ? AND seq <= ?`);
  return count.pluck().get(after, upTo) ?? 0;
}

function rows(
  db: Database.Database,
  stream: Stream,
  { after, upTo }: Stretch,
): IterableIterator<{ seq: number; body: Buffer }> {
  return db
    .prepare<[number, number], { seq: number; body: Buffer }>(
      `SELECT seq, body FROM ${stream} WHERE seq > ? AND seq <= ?`,
    )
    .iterate(after, upTo);
}

/** Most streams hold no record that is for one uplink alone, and need not be decoded. */
function hasDirected(db: Database.Database, stream: Stream): boolean {
  return db.prepare('SELECT 1 FROM directed WHERE stream = ? LIMIT 1').get(stream) !== undefined;
}

/** What records say of themselves, not what stands beside them. */
function countOwn(db: Database.Database, lane: LaneRow): number {
  const { uplink, stream } = lane;
  let count = 0;
  for (const stretch of stretchesOf(lane)) {
    for (const { seq, body } of rows(db, stream, stretch)) {
      const { channel, retryOf } = readRecord(stream, seq, body);
      if ((stream === 'gaps' ? channel : (retryOf?.uplink ?? uplink)) === uplink) count += 1;
    }
  }
  return count;
}

function damagedRows(db: Database.Database, stream: Stream): string[] {
  const damaged: string[] = [];
  for (const { seq, body } of rows(db, stream, ALL)) {
    if (!isIntact(body, seq)) damaged.push(`${stream}: record ${seq} is damaged`);
  }
  return damaged;
}

/** One record as it arrived upstream. */
export interface Arrival {
  readonly stream: Stream;
  readonly epoch: string;
  readonly seq: number;
  /** The value's `id`, as the senders of the tests give one; null in what the gateway itself says. */
  readonly recordId: string | null;
  /** The part of its stream that it was sent with, beside the lane; '' for the lane itself. Each keeps its order. */
  readonly part: string;
}

/** As a file uplink writes it. */
export interface FileArrival extends Arrival {
  /** UTC milliseconds. */
  readonly time: number;
  readonly timeQuality: TimeQuality;
}

const CE_ID = /^(.*):([^:]+):(\d{20})$/;
/** A range has files of its own. */
const RANGE_FILE = /-((?:backfill|replay)-\d+)-[^/]*$/;
const RECORD_ID = /"id":"([^"]+)"/;

function arrival(event: { id: string; type: string; value: string; part: string }): Arrival {
  const { id: ceId, type: ceType, value, part } = event;
  const [, , epoch = '', seq = ''] = CE_ID.exec(ceId) ?? [];
  const stream = STREAMS.find((name) => name === ceType.split('.')[1]);
  if (stream === undefined || epoch === '') throw new Error(`no CloudEvent of ours: ${ceId} ${ceType}`);
  return { stream, epoch, seq: Number(seq), recordId: RECORD_ID.exec(value)?.[1] ?? null, part };
}

/** Every line of a file uplink's files, each stream's oldest first. @throws Error on a line that is torn. */
export async function* readFiles(directory: string): AsyncGenerator<FileArrival> {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ndjson'),
  );
  for (const name of names.sort()) {
    const lines = createInterface({
      input: createReadStream(join(directory, name)),
      crlfDelay: Number.POSITIVE_INFINITY,
    });
    for await (const line of lines) {
      const event = parseLine(name, line);
      const { time, timequality = 'synced' } = event;
      const part = RANGE_FILE.exec(name)?.[1] ?? '';
      const arrived = arrival({ ...event, value: JSON.stringify(event.data), part });
      yield { ...arrived, time: Date.parse(time), timeQuality: timequality };
    }
  }
}

interface Line {
  readonly id: string;
  readonly type: string;
  readonly time: string;
  readonly timequality?: TimeQuality;
  readonly data: unknown;
}

function parseLine(file: string, line: string): Line {
  try {
    return JSON.parse(line) as Line;
  } catch (cause) {
    throw new Error(`${file} has a torn line: ${line.slice(0, 200)}`, { cause });
  }
}

/** Every record of the topic by partition and offset, read by kcat; for values that hold no line feed. */
export async function* readKafka(bootstrap: string, topic: string): AsyncGenerator<Arrival> {
  const committed = ['-X', 'isolation.level=read_committed'];
  const args = ['-C', '-b', bootstrap, ...committed, '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%h\\t%s\\n'];
  const kcat = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(kcat, 'close');
  for await (const line of createInterface({ input: kcat.stdout })) {
    const tab = line.indexOf('\t');
    const headers = line.slice(0, tab);
    const header = (name: string): string => new RegExp(`(?:^|,)${name}=([^,]*)`).exec(headers)?.[1] ?? '';
    const event = { id: header('ce_id'), type: header('ce_type'), part: header('ce_lane') };
    yield arrival({ ...event, value: line.slice(tab + 1) });
  }
  const [code] = (await closed) as [number];
  if (code !== 0) throw new Error(`kcat could not read ${topic}`);
}
