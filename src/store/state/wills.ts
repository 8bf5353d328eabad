import { Buffer } from 'node:buffer';
import type Database from 'better-sqlite3';
import type { Place, Qos, StoredWill } from '../../core/session.ts';

interface WillColumns {
  readonly id: Place;
  readonly client_id: string;
  readonly owner: string;
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: 0 | 1;
  readonly payload: Buffer;
}

/** Wills of MQTT clients, in `state.db`. */
export class WillTable {
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  page(after: Place, maxCount: number): StoredWill[] {
    return this.#db
      .prepare<[Place, number], WillColumns>(
        'SELECT id, client_id, owner, topic, qos, retain, payload FROM wills WHERE id > ? ORDER BY id LIMIT ?',
      )
      .all(after, maxCount)
      .map(({ client_id: clientId, retain, ...will }) => ({ ...will, clientId, retain: retain === 1 }));
  }

  put({ retain, payload, ...will }: StoredWill): void {
    this.#db
      .prepare(
        `INSERT INTO wills VALUES (@id, @clientId, @owner, @topic, @qos, @retain, @payload,
           row_sum(@id, @clientId, @owner, @topic, @qos, @retain, @payload))`,
      )
      .run({ ...will, retain: retain ? 1 : 0, payload: Buffer.from(payload) });
  }

  remove(id: Place): void {
    this.#db.prepare('DELETE FROM wills WHERE id = ?').run(id);
  }

  removeAllOf(owner: string): void {
    this.#db.prepare('DELETE FROM wills WHERE owner = ?').run(owner);
  }
}
