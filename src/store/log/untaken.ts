import type Database from 'better-sqlite3';
import type { Untaken } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import type { GapReports, Loss } from './gap-reports.ts';
import type { Lanes } from './lanes.ts';

/** One report that concerns more devices than this is one gap with `device: null`. */
const MAX_DEVICES = 16;
/** The device of a row that sums up all further ones. */
const FURTHER = '';

interface Row {
  readonly reason: Untaken['reason'];
  readonly stream: Stream;
  readonly device: string;
  readonly count: number;
  readonly bytes: number;
  readonly firstTime: number;
  readonly lastTime: number;
}

/**
 * What was not taken at the door: counted in the transaction that it is acknowledged by, and reported in gaps now and
 * then, all that came since in one for each device. Belongs into the store's transaction.
 */
export class UntakenReports {
  readonly #add: Database.Statement;
  readonly #count: Database.Statement;
  readonly #rows: Database.Statement<[], Row>;
  readonly #clear: Database.Statement;
  readonly #totals: Database.Statement<[], { stream: Stream; count: number }>;
  /** Those with a row of their own, by reason and stream. */
  readonly #devices = new Map<string, Set<string>>();

  constructor(db: Database.Database) {
    this.#add = db.prepare(
      `INSERT INTO untaken VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (reason, stream, device) DO UPDATE SET
         count = count + excluded.count, bytes = bytes + excluded.bytes,
         first_time = min(first_time, excluded.first_time), last_time = max(last_time, excluded.last_time)`,
    );
    this.#count = db.prepare('UPDATE streams SET over_share = over_share + ? WHERE stream = ?');
    this.#rows = db.prepare(
      `SELECT reason, stream, device, count, bytes, first_time AS firstTime, last_time AS lastTime FROM untaken
       ORDER BY reason, stream, device`,
    );
    this.#clear = db.prepare('DELETE FROM untaken');
    this.#totals = db.prepare('SELECT stream, over_share AS count FROM streams');
    this.reload();
  }

  get isEmpty(): boolean {
    return this.#devices.size === 0;
  }

  add({ reason, stream, device, count, bytes, firstAt, lastAt }: Untaken): void {
    const kind = kindOf({ reason, stream });
    const devices = this.#devices.get(kind) ?? new Set();
    const named = devices.has(device) || devices.size < MAX_DEVICES ? device : FURTHER;
    this.#devices.set(kind, devices.add(named));
    this.#add.run(reason, stream, named, count, bytes, firstAt, lastAt);
    if (reason === 'share') this.#count.run(count, stream);
  }

  /** Tells every uplink that carries the stream. */
  report(lanes: Lanes, gaps: GapReports): void {
    for (const rows of Map.groupBy(this.#rows.all(), kindOf).values()) {
      const [{ reason, stream }] = rows as [Row];
      const losses = rows.some(({ device }) => device === FURTHER) ? [sumOf(rows)] : rows.map((row) => sumOf([row]));
      for (const lane of lanes.ofStream(stream)) for (const loss of losses) gaps.report(lane, loss, reason);
    }
    this.#clear.run();
    this.#devices.clear();
  }

  /** Records that would have been, had their devices not been over their share, since the log was made. */
  shareTotals(): ReadonlyMap<Stream, number> {
    return new Map(this.#totals.all().map(({ stream, count }) => [stream, count]));
  }

  reload(): void {
    this.#devices.clear();
    for (const [kind, rows] of Map.groupBy(this.#rows.all(), kindOf))
      this.#devices.set(kind, new Set(rows.map(({ device }) => device)));
  }
}

function kindOf({ reason, stream }: Pick<Row, 'reason' | 'stream'>): string {
  return `${reason} ${stream}`;
}

function sumOf(rows: readonly Row[]): Loss {
  const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0);
  const [only] = rows;
  return {
    device: rows.length === 1 && only !== undefined && only.device !== FURTHER ? only.device : null,
    firstSeq: null,
    lastSeq: null,
    count: sum(({ count }) => count),
    bytes: sum(({ bytes }) => bytes),
    firstTime: Math.min(...rows.map(({ firstTime }) => firstTime)),
    lastTime: Math.max(...rows.map(({ lastTime }) => lastTime)),
  };
}
