import type Database from 'better-sqlite3';
import type { LaneId } from '../../core/lane-log.ts';
import type { Seq } from '../../core/record.ts';
import type { DeviceRow } from '../../core/state-store.ts';
import { damaged } from '../file-errors.ts';
import { notedIn, STATE_NOTES } from '../notes.ts';
import type { ClientIdClaim } from '../protocol.ts';
import { type SeqReservation, SKIPPED_SEQS } from '../seqs.ts';
import { openForWriting } from '../sqlite.ts';
import { findDamagedRows, giveUpRows, hasRightIndexes, problemOf } from './damaged-rows.ts';
import { sumRowsOfBefore } from './row-sums.ts';
import { STATE_MIGRATIONS } from './schema.ts';
import { SessionTables } from './sessions.ts';

/** One write to `state.db` per so many seqs. */
const SEQ_BLOCK = 1_000_000;
const WAL_BYTES = 512 * 1024;
/** Firmware that makes up a new client id at each start must not fill the file: the oldest goes first. */
const MAX_CLIENT_IDS_PER_OWNER = 1_000;

/** `state.db`, synchronous: lives on the store worker, or in a command while no daemon runs. */
export class State implements SeqReservation {
  readonly #file: string;
  #db: Database.Database;
  #sessions: SessionTables;
  #preciousVersion = 0;

  constructor(file: string) {
    this.#file = file;
    this.#db = openState(file, { mustExist: false });
    this.#sessions = new SessionTables(this.#db);
  }

  get sessions(): SessionTables {
    return this.#sessions;
  }

  /** Opens the file again, after a write that failed; the old connection is closed last, as in `Log`. */
  reopen(): void {
    const before = this.#db;
    this.#db = openState(this.#file, { mustExist: true });
    this.#sessions = new SessionTables(this.#db);
    before.close();
  }

  /** The stored value, or the given one, which is stored then. */
  remember(name: string, value: string): string {
    const stored = notedIn(this.#db, name);
    if (stored !== undefined) return stored;
    this.#setMeta(name, value);
    return value;
  }

  /** As `remember`, but the newest value counts; without one, it is forgotten. */
  note(name: string, value: string | undefined): void {
    if (notedIn(this.#db, name) === value) return;
    if (value === undefined) this.#db.prepare('DELETE FROM meta WHERE name = ?').run(name);
    else this.#setMeta(name, value);
  }

  /** In one commit. */
  noteAll(notes: Readonly<Record<string, string | undefined>>): void {
    this.#db.transaction(() => {
      for (const [name, value] of Object.entries(notes)) this.note(name, value);
    })();
  }

  noted(name: string): string | undefined {
    return notedIn(this.#db, name);
  }

  /** All but its rows. @throws SluiceError `store_damaged` */
  check(): void {
    const problem = problemOf(this.#db);
    if (problem !== null) throw damaged(this.#file, problem);
  }

  /** With its rows: the file is small. */
  isWhole(): boolean {
    return problemOf(this.#db) === null && findDamagedRows(this.#db).size === 0;
  }

  /**
   * Gives up the rows that are damaged, or takes them from a copy; returns what was done, for people.
   * @throws SluiceError `store_damaged` when it is not whole then
   */
  mend(copyFile: string): readonly string[] {
    const found = findDamagedRows(this.#db);
    const done = found.size > 0 ? giveUpRows(this.#db, found, copyFile) : [];
    if (found.has('note')) this.reserveSeq(this.#highestKnownSeq() + SKIPPED_SEQS);
    if (!hasRightIndexes(this.#db)) this.#db.exec('REINDEX');
    const isMended = hasRightIndexes(this.#db) && (found.size === 0 || findDamagedRows(this.#db).size === 0);
    if (!isMended) throw damaged(this.#file, 'its rows cannot be told from each other');
    sumRowsOfBefore(this.#db);
    return done;
  }

  /** Writes a copy as it is now. */
  copyTo(file: string): void {
    this.#db.prepare('VACUUM INTO ?').run(file);
  }

  /** Grows with every change that people or the log would miss: secrets, pauses, seqs that were reserved. */
  get preciousVersion(): number {
    return this.#preciousVersion;
  }

  /** Rows that were changed since the file was opened. */
  get changeCount(): number {
    return this.#db.prepare<[], number>('SELECT total_changes()').pluck().get() ?? 0;
  }

  reservedSeq(): Seq {
    return Number(notedIn(this.#db, STATE_NOTES.seqReserved) ?? 0);
  }

  reserveSeq(needed: Seq): Seq {
    const reserved = this.reservedSeq();
    if (needed <= reserved) return reserved;
    const upTo = Math.ceil(needed / SEQ_BLOCK) * SEQ_BLOCK;
    this.#setMeta(STATE_NOTES.seqReserved, String(upTo));
    // A write-ahead log may lose its end without a word.
    this.#db.pragma('wal_checkpoint(PASSIVE)');
    this.#preciousVersion += 1;
    return upTo;
  }

  /** How far a lane has skipped; 0 when it never did. */
  skippedUpTo(lane: LaneId): Seq {
    return Number(notedIn(this.#db, skipName(lane)) ?? 0);
  }

  /** On disk when it returns. */
  noteSkip(lane: LaneId, upTo: Seq): void {
    this.#setMeta(skipName(lane), String(upTo));
    this.#preciousVersion += 1;
  }

  loadDevices(): DeviceRow[] {
    return this.#db
      .prepare<[], DeviceRow>(
        `SELECT id, secret_hash AS secretHash, first_seen_at AS firstSeenAt, last_seen_at AS lastSeenAt, latest
         FROM devices ORDER BY id`,
      )
      .all();
  }

  putSecret(id: string, secretHash: string): void {
    this.#preciousVersion += 1;
    this.#db
      .prepare(
        `INSERT INTO devices (id, secret_hash, secret_sum) VALUES (@id, @secretHash, row_sum(@id, @secretHash))
         ON CONFLICT (id) DO UPDATE SET secret_hash = excluded.secret_hash, secret_sum = excluded.secret_sum`,
      )
      .run({ id, secretHash });
  }

  removeDevice(id: string): boolean {
    this.#preciousVersion += 1;
    return this.#db.transaction(() => {
      this.#db.prepare('DELETE FROM client_ids WHERE owner = ?').run(id);
      this.sessions.endAllOf(id);
      return this.#db.prepare('DELETE FROM devices WHERE id = ?').run(id).changes > 0;
    })();
  }

  /** All in one transaction: a fleet that comes for the first time must not cost an fsync for each of its clients. */
  claimClientIds(claims: readonly ClientIdClaim[]): boolean[] {
    return this.#db.transaction(() =>
      claims.map(({ clientId, owner, at }) => this.claimClientId(clientId, owner, at)),
    )();
  }

  claimClientId(clientId: string, owner: string, at: number): boolean {
    const known = this.#db
      .prepare<[string], { owner: string }>('SELECT owner FROM client_ids WHERE client_id = ?')
      .get(clientId);
    if (known !== undefined && known.owner === owner) return true;
    // Its own id is a device's, whoever was there first.
    if (clientId !== owner && (known !== undefined || this.#mayLogIn(clientId))) return false;
    this.#db.transaction(() => {
      // In the order of the claims, whatever the clock says.
      const last = this.#db
        .prepare<[string], number | null>('SELECT max(claimed_at) FROM client_ids WHERE owner = ?')
        .pluck()
        .get(owner);
      this.#db
        .prepare('INSERT OR REPLACE INTO client_ids VALUES (@clientId, @owner, @at, row_sum(@clientId, @owner, @at))')
        .run({ clientId, owner, at: Math.max(at, (last ?? 0) + 1) });
      this.#db
        .prepare(
          `DELETE FROM client_ids WHERE client_id IN (
             SELECT client_id FROM client_ids WHERE owner = ? ORDER BY claimed_at DESC LIMIT -1 OFFSET ?)`,
        )
        .run(owner, MAX_CLIENT_IDS_PER_OWNER);
    })();
    return true;
  }

  saveSeen(rows: readonly DeviceRow[], upTo: Seq): void {
    const save = this.#db.prepare(
      `INSERT INTO devices (id, first_seen_at, last_seen_at, latest, seen_sum)
       VALUES (@id, @firstSeenAt, @lastSeenAt, @latest, row_sum(@id, @firstSeenAt, @lastSeenAt, @latest))
       ON CONFLICT (id) DO UPDATE SET first_seen_at = excluded.first_seen_at,
         last_seen_at = excluded.last_seen_at, latest = excluded.latest, seen_sum = excluded.seen_sum`,
    );
    this.#db.transaction(() => {
      for (const { id, firstSeenAt, lastSeenAt, latest } of rows) save.run({ id, firstSeenAt, lastSeenAt, latest });
      this.#setMeta('seen_up_to', String(upTo));
    })();
  }

  seenUpTo(): Seq {
    return Number(notedIn(this.#db, 'seen_up_to') ?? 0);
  }

  setPaused(uplink: string, paused: boolean): void {
    this.#preciousVersion += 1;
    const sql = paused
      ? 'INSERT OR IGNORE INTO paused_uplinks VALUES (@uplink, row_sum(@uplink))'
      : 'DELETE FROM paused_uplinks WHERE name = @uplink';
    this.#db.prepare(sql).run({ uplink });
  }

  pausedUplinks(): string[] {
    return this.#db.prepare<[], string>('SELECT name FROM paused_uplinks').pluck().all();
  }

  close(): void {
    this.#db.close();
  }

  /** Whatever was noted of seqs. */
  #highestKnownSeq(): Seq {
    const noted = [STATE_NOTES.logOpen, STATE_NOTES.logNewest].map((name) => Number(notedIn(this.#db, name) ?? 0));
    return Math.max(this.reservedSeq(), this.seenUpTo(), ...noted);
  }

  #mayLogIn(device: string): boolean {
    const sql = 'SELECT 1 FROM devices WHERE id = ? AND secret_hash IS NOT NULL';
    return this.#db.prepare<[string], number>(sql).pluck().get(device) !== undefined;
  }

  #setMeta(name: string, value: string): void {
    this.#db.prepare('INSERT OR REPLACE INTO meta VALUES (@name, @value, row_sum(@name, @value))').run({ name, value });
  }
}

function skipName({ uplink, stream }: LaneId): string {
  return `skipped:${uplink}/${stream}`;
}

function openState(file: string, { mustExist }: { readonly mustExist: boolean }): Database.Database {
  return openForWriting({ file, migrations: STATE_MIGRATIONS, durability: 'full', walBytes: WAL_BYTES, mustExist });
}
