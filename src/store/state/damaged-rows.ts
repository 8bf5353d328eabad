import type Database from 'better-sqlite3';
import { printable } from '../../core/printable.ts';
import { waitForReads } from '../disk-reads.ts';
import { hasRightColumns } from '../format.ts';
import { ofCopy } from '../if-readable.ts';
import { isWrong, type RowSum, SUMS } from './row-sums.ts';
import { STATE_MIGRATIONS } from './schema.ts';

type Kind = keyof typeof SUMS;

interface Treatment {
  /** In SQL: what people call the row. */
  readonly name: string;
  /** In SQL: gives up what is wrong, and nothing else. */
  readonly giveUp: readonly string[];
  /** What stands in front of the names, and what becomes of them. */
  readonly told: readonly [string, string];
}

/** Where damage lies, by the names of the rows. */
export type DamagedRows = ReadonlyMap<Kind, readonly string[]>;

const MAX_NAMES = 20;
const endSessions = (sum: RowSum): readonly string[] => [
  `DELETE FROM sessions WHERE ${isWrong(sum)}`,
  'DELETE FROM subscriptions WHERE session NOT IN (SELECT id FROM sessions)',
];
const ENDED =
  'they are ended with what waits for them; their clients are told so when they connect, and subscribe again';

const TREATMENTS: Readonly<Record<Kind, Treatment>> = {
  note: {
    name: 'name',
    giveUp: [`DELETE FROM meta WHERE ${isWrong(SUMS.note)}`],
    told: ['what the gateway noted as', 'it is forgotten'],
  },
  secret: {
    name: 'id',
    giveUp: [`DELETE FROM devices WHERE ${isWrong(SUMS.secret)}`],
    told: ['the secrets of devices', 'they cannot log in until they are added again (sluice device add)'],
  },
  seen: {
    name: 'id',
    giveUp: [
      `DELETE FROM devices WHERE secret_hash IS NULL AND ${isWrong(SUMS.seen)}`,
      `UPDATE devices SET first_seen_at = NULL, last_seen_at = NULL, latest = NULL, seen_sum = NULL
        WHERE ${isWrong(SUMS.seen)}`,
    ],
    told: ['the latest values of devices', 'they are forgotten until new ones come'],
  },
  claim: {
    name: 'client_id',
    giveUp: [`DELETE FROM client_ids WHERE ${isWrong(SUMS.claim)}`],
    told: ['the owners of MQTT client ids', 'who uses one next has it'],
  },
  pause: {
    name: 'name',
    giveUp: [`DELETE FROM paused_uplinks WHERE ${isWrong(SUMS.pause)}`],
    told: ['paused uplinks', 'they are not paused any more'],
  },
  session: { name: 'client_id', giveUp: endSessions(SUMS.session), told: ['MQTT sessions of clients', ENDED] },
  subscriptions: {
    name: 'client_id',
    giveUp: endSessions(SUMS.subscriptions),
    told: ['subscriptions in MQTT sessions of clients', ENDED],
  },
  will: {
    name: 'client_id',
    giveUp: [`DELETE FROM wills WHERE ${isWrong(SUMS.will)}`],
    told: ['the wills of MQTT clients', 'they are not published'],
  },
  retained: {
    name: 'topic',
    giveUp: [`DELETE FROM retained WHERE ${isWrong(SUMS.retained)}`],
    told: ['retained messages of topics', 'they are gone until new ones are published'],
  },
};

const KINDS = Object.keys(TREATMENTS) as readonly Kind[];

/** Columns that are taken from a copy; the first is the name. */
const PRECIOUS: Readonly<Partial<Record<Kind, readonly string[]>>> = {
  secret: ['id', 'secret_hash', 'secret_sum'],
  pause: ['name', 'sum'],
};

/** In a file of an earlier version by the checksums that it has. */
export function findDamagedRows(db: Database.Database, kinds = KINDS): DamagedRows {
  const found = new Map<Kind, readonly string[]>();
  const hasColumn = db.prepare<[string, string]>('SELECT 1 FROM pragma_table_info(?) WHERE name = ?');
  for (const kind of kinds) {
    if (hasColumn.get(SUMS[kind].table, SUMS[kind].column) === undefined) continue;
    const select = `SELECT ${TREATMENTS[kind].name} FROM ${SUMS[kind].table} WHERE ${isWrong(SUMS[kind])}`;
    const names = db.prepare<[], unknown>(select).pluck().all().map(String);
    if (names.length > 0) found.set(kind, names);
  }
  return found;
}

/** What is damaged more than rows that can be given up one by one, or null: without its notes a gateway is another one. */
export function problemOf(db: Database.Database): string | null {
  const result = String(db.pragma('quick_check(1)', { simple: true }));
  if (result !== 'ok') return result.replaceAll('\n', ' ');
  if (!hasRightColumns(db, STATE_MIGRATIONS)) return 'its schema is not what was written';
  const notes = findDamagedRows(db, ['note']).get('note');
  return notes === undefined ? null : `${TREATMENTS.note.told[0]} ${listOf(notes)} is damaged`;
}

/** Rows that are all right may stand where no search finds them. */
export function hasRightIndexes(db: Database.Database): boolean {
  return db.pragma('integrity_check(1)', { simple: true }) === 'ok';
}

/** For people, a line of each kind: whose rows are damaged. */
export function describeRows(found: DamagedRows): readonly string[] {
  return [...found].map(([kind, names]) => `${TREATMENTS[kind].told[0]} ${listOf(names)}`);
}

/**
 * Rows are given up, not the file; what people would miss most is taken from a copy of the file, where that has it.
 * Returns what was done, for people. @throws SluiceError `store_unreadable` when the disk does not give the copy
 */
export function giveUpRows(db: Database.Database, found: DamagedRows, copyFile: string): readonly string[] {
  // What an index has elsewhere cannot be removed.
  db.exec('REINDEX');
  return db.transaction(() => {
    for (const kind of found.keys()) for (const statement of TREATMENTS[kind].giveUp) db.exec(statement);
    return [...found].flatMap(([kind, names]) => {
      const columns = PRECIOUS[kind];
      const taken = columns === undefined ? [] : takeFromCopy(db, copyFile, { ...SUMS[kind], columns });
      return tell(kind, names, taken);
    });
  })();
}

function tell(kind: Kind, names: readonly string[], taken: readonly string[]): string[] {
  const [what, then] = TREATMENTS[kind].told;
  const lost = names.filter((name) => !taken.includes(name));
  return [
    ...(lost.length > 0 ? [`${what} ${listOf(lost)} are damaged: ${then}`] : []),
    ...(taken.length > 0 ? [`${what} ${listOf(taken)} are taken from the copy, because some were damaged`] : []),
  ];
}

function listOf(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map((name) => printable(name));
  return `${shown.join(', ')}${names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : ''}`;
}

/** Every row that is missing, since a damaged name may be anybody's. Returns their names. */
function takeFromCopy(
  db: Database.Database,
  copyFile: string,
  { table, column, of, columns }: RowSum & { readonly columns: readonly string[] },
): string[] {
  const names = columns.join(', ');
  const put = db.prepare(`INSERT OR IGNORE INTO ${table} (${names}) VALUES (${columns.map(() => '?').join(', ')})`);
  const select = `SELECT ${names} FROM ${table} WHERE ${column} = ${of}`;
  const read = () => ofCopy(copyFile, (copy) => copy.prepare<[], unknown[]>(select).raw().all());
  const rows = read() ?? (waitForReads([copyFile]) === 0 ? read() : undefined) ?? [];
  return rows.filter((row) => put.run(...row).changes > 0).map(([name]) => String(name));
}
