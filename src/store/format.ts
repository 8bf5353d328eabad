/** Which steps of its schema a file has taken, and whether its tables are those of these steps. */

import Database from 'better-sqlite3';
import { SluiceError } from '../core/errors.ts';
import { damaged } from './file-errors.ts';

/** Far beyond any that there will be. */
const MAX_FORMAT = 1_000;
/** "SL", in front of the format in `application_id`. */
const FORMAT_MARK = 0x534c_0000;

/** @throws SluiceError `store_too_new`, `store_damaged` */
export function refuseNewer(db: Database.Database, file: string, migrations: readonly string[]): void {
  const version = formatOf(db, migrations);
  if (version < 0 || version > MAX_FORMAT) throw damaged(file, `there is no format ${version}`);
  if (version <= migrations.length) return;
  throw new SluiceError(`${file} was written by a newer version of Sluice (format ${version})`, {
    code: 'store_too_new',
    hint: `install that version again; this one reads formats up to ${migrations.length}`,
  });
}

/**
 * How many of its migrations were applied. That stands twice, so that damage to one of them is told from a newer version:
 * where they differ, that is right whose tables are there. With other tables it is left to a newer version.
 */
export function formatOf(db: Database.Database, migrations: readonly string[]): number {
  const formats = formatsIn(db);
  const [version = 0, marked = version] = formats;
  if (version === marked) return version;
  return (
    formats.find((format) => format <= migrations.length && hasColumnsOf(db, migrations, format)) ??
    Math.max(...formats)
  );
}

/** Takes the steps that a file still lacks. @throws SluiceError `store_too_new`, `store_damaged` */
export function migrate(db: Database.Database, file: string, migrations: readonly string[]): void {
  refuseNewer(db, file, migrations);
  for (let next = formatOf(db, migrations); next < migrations.length; next++) {
    db.transaction(() => {
      db.exec(migrations[next] ?? '');
      noteFormat(db, next + 1);
    }).immediate();
  }
  const [version, marked] = formatsIn(db);
  if (version !== migrations.length || marked !== version) noteFormat(db, migrations.length);
}

/** As `user_version` and, but in a file of an earlier version, `application_id` have it. */
function formatsIn(db: Database.Database): readonly number[] {
  const [version, id] = ['user_version', 'application_id'].map((name) => Number(db.pragma(name, { simple: true })));
  const marked = (id ?? 0) - FORMAT_MARK;
  return [version ?? 0, ...(marked > 0 && marked <= MAX_FORMAT ? [marked] : [])];
}

function noteFormat(db: Database.Database, format: number): void {
  db.transaction(() => {
    db.pragma(`user_version = ${format}`);
    db.pragma(`application_id = ${FORMAT_MARK + format}`);
  })();
}

/**
 * Whether the columns of all tables are those of the file's format: what is asked for by the name of a column is answered
 * wrongly when a letter of that is damaged.
 */
export function hasRightColumns(db: Database.Database, migrations: readonly string[]): boolean {
  return hasColumnsOf(db, migrations, formatOf(db, migrations));
}

function hasColumnsOf(db: Database.Database, migrations: readonly string[], format: number): boolean {
  return columnsOf(db) === columnsMadeBy(migrations.slice(0, format).join('\n'));
}

/** By the SQL that makes them, which takes SQLite some milliseconds; each copy of `state.db` is checked by it. */
const COLUMNS = new Map<string, string>();

function columnsMadeBy(sql: string): string {
  const known = COLUMNS.get(sql);
  if (known !== undefined) return known;
  const db = new Database(':memory:');
  db.exec(sql);
  const columns = columnsOf(db);
  db.close();
  COLUMNS.set(sql, columns);
  return columns;
}

function columnsOf(db: Database.Database): string {
  const columns = `SELECT tables.name, columns.* FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
    WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%' ORDER BY tables.name, columns.cid`;
  return JSON.stringify(db.prepare(columns).raw().all());
}
