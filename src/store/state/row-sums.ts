import type Database from 'better-sqlite3';

/** One checksum of a row, in SQL. */
export interface RowSum {
  readonly table: string;
  readonly column: string;
  /** What it must be. */
  readonly of: string;
  /** Rows that need one and have none are of a version that wrote none. */
  readonly isNeeded?: string;
}

const ofSubscriptions = `(SELECT coalesce(sum(row_sum(session, topic, qos, identifier)), 0)
  FROM subscriptions WHERE session = sessions.id)`;

/**
 * A flipped bit in a row is none that SQLite would notice: beside each row stands the checksum of what it says. What the
 * subscriptions of a session say is added up beside the session, so that none can go or come by itself.
 */
export const SUMS = {
  note: { table: 'meta', column: 'sum', of: 'row_sum(name, value)' },
  secret: {
    table: 'devices',
    column: 'secret_sum',
    of: 'row_sum(id, secret_hash)',
    isNeeded: 'secret_hash IS NOT NULL',
  },
  seen: {
    table: 'devices',
    column: 'seen_sum',
    of: 'row_sum(id, first_seen_at, last_seen_at, latest)',
    isNeeded: 'last_seen_at IS NOT NULL',
  },
  claim: { table: 'client_ids', column: 'sum', of: 'row_sum(client_id, owner, claimed_at)' },
  pause: { table: 'paused_uplinks', column: 'sum', of: 'row_sum(name)' },
  session: { table: 'sessions', column: 'sum', of: 'row_sum(id, client_id, owner, away_since)' },
  subscriptions: { table: 'sessions', column: 'subscribed', of: ofSubscriptions },
  will: { table: 'wills', column: 'sum', of: 'row_sum(id, client_id, owner, topic, qos, retain, payload)' },
  retained: { table: 'retained', column: 'sum', of: 'row_sum(topic, place, qos, payload)' },
} as const satisfies Readonly<Record<string, RowSum>>;

/** In SQL: true for rows whose checksum is there and does not hold. */
export function isWrong({ column, of }: RowSum): string {
  return `${column} <> ${of}`;
}

/** Rows of versions that wrote no checksums. */
export function sumRowsOfBefore(db: Database.Database): void {
  const sums: readonly RowSum[] = Object.values(SUMS);
  db.transaction(() => {
    for (const { table, column, of, isNeeded = 'true' } of sums) {
      db.exec(`UPDATE ${table} SET ${column} = ${of} WHERE ${column} IS NULL AND ${isNeeded}`);
    }
  })();
}
