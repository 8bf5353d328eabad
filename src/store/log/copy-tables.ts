import Database from 'better-sqlite3';
import { STREAMS } from '../../core/stream.ts';
import { waitForReads } from '../disk-reads.ts';
import { ifReadable } from '../if-readable.ts';
import { isEmptyFile } from '../sqlite.ts';

/** SQLite's own: the highest id of each table that never gives one out twice. */
export const IDS = 'sqlite_sequence';
/** Records come page by page, and the new file has an epoch of its own. */
const LEFT_OUT: readonly string[] = [...STREAMS, 'meta'];

/**
 * Copies all but the records from a damaged log into a new one of the same format, table by table, as far as SQLite can
 * read them. Returns the names of those that were read to their end. Belongs into the store's transaction.
 * @throws SluiceError `store_unreadable` when the disk does not give it
 */
export function copyTables(from: string, to: Database.Database): Set<string> {
  const copied = copyWhatIsReadable(from, to);
  if (copied.isAll) return copied.names;
  waitForReads([from, `${from}-wal`]);
  return copyWhatIsReadable(from, to).names;
}

function copyWhatIsReadable(from: string, to: Database.Database): { names: Set<string>; isAll: boolean } {
  const copied = new Set<string>();
  const damaged = openIfPossible(from);
  if (damaged === undefined) return { names: copied, isAll: false };
  const tables = to
    .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .pluck()
    .all()
    .filter((name) => !LEFT_OUT.includes(name))
    .concat(IDS);
  if (formatOf(damaged) === formatOf(to)) {
    for (const table of tables) if (copyTable(damaged, to, table)) copied.add(table);
  }
  damaged.close();
  return { names: copied, isAll: copied.size === tables.length };
}

function openIfPossible(file: string): Database.Database | undefined {
  if (isEmptyFile(file)) return undefined;
  return ifReadable(() => new Database(file, { readonly: true, fileMustExist: true }));
}

function formatOf(db: Database.Database): unknown {
  return ifReadable(() => db.pragma('user_version', { simple: true }));
}

/** All of a table or nothing of it. */
function copyTable(from: Database.Database, to: Database.Database, table: string): boolean {
  const copy = to.transaction(() => {
    to.exec(`DELETE FROM ${table}`);
    const read = from.prepare<[], unknown[]>(`SELECT * FROM ${table}`).raw();
    const columns = read.columns().map(() => '?');
    const write = to.prepare(`INSERT INTO ${table} VALUES (${columns.join(', ')})`);
    for (const row of read.iterate()) write.run(...row);
    return true;
  });
  return ifReadable(copy) ?? false;
}
