import { Buffer } from 'node:buffer';
import type Database from 'better-sqlite3';
import type {
  Place,
  Qos,
  RetainedMessage,
  SessionChange,
  SessionId,
  SessionRow,
  StoredSubscription,
} from '../../core/session.ts';
import { WillTable } from './wills.ts';

interface SessionColumns {
  readonly id: SessionId;
  readonly client_id: string;
  readonly owner: string;
  readonly away_since: number | null;
}

interface SubscriptionColumns {
  readonly topic: string;
  readonly qos: Qos;
  readonly identifier: number | null;
}

/** MQTT sessions, their subscriptions, wills, and retained messages, in `state.db`. Every write is on disk when it returns. */
export class SessionTables {
  readonly wills: WillTable;
  readonly #db: Database.Database;

  constructor(db: Database.Database) {
    this.#db = db;
    this.wills = new WillTable(db);
  }

  page(after: SessionId, maxCount: number): SessionRow[] {
    const subscriptions = this.#db.prepare<[SessionId], SubscriptionColumns>(
      'SELECT topic, qos, identifier FROM subscriptions WHERE session = ?',
    );
    return this.#db
      .prepare<[SessionId, number], SessionColumns>('SELECT * FROM sessions WHERE id > ? ORDER BY id LIMIT ?')
      .all(after, maxCount)
      .map(({ id, client_id: clientId, owner, away_since: awaySince }) => ({
        id,
        clientId,
        owner,
        awaySince,
        subscriptions: subscriptions.all(id).map(subscriptionOf),
      }));
  }

  ids(): SessionId[] {
    return this.#db.prepare<[], SessionId>('SELECT id FROM sessions').pluck().all();
  }

  save(changes: readonly SessionChange[]): void {
    this.#db.transaction(() => {
      for (const change of changes) this.#save(change);
    })();
  }

  /** With their wills. What is queued for them goes with the next start at the latest. */
  endAllOf(owner: string): void {
    this.wills.removeAllOf(owner);
    const ids = this.#db.prepare<[string], SessionId>('SELECT id FROM sessions WHERE owner = ?').pluck().all(owner);
    this.save(ids.map((session) => ({ kind: 'end', session })));
  }

  /** The last one of a topic counts; an empty payload removes. */
  retain(messages: readonly (RetainedMessage & { readonly place: Place })[]): void {
    const put = this.#db.prepare(
      `INSERT INTO retained VALUES (?, ?, ?, ?) ON CONFLICT (topic) DO UPDATE
          SET place = excluded.place, qos = excluded.qos, payload = excluded.payload`,
    );
    const remove = this.#db.prepare('DELETE FROM retained WHERE topic = ?');
    const newest = new Map(messages.map((message) => [message.topic, message]));
    this.#db.transaction(() => {
      for (const { topic, place, qos, payload } of newest.values()) {
        if (payload.byteLength === 0) remove.run(topic);
        else put.run(topic, place, qos, Buffer.from(payload));
      }
    })();
  }

  retainedPage(afterTopic: string, maxCount: number): RetainedMessage[] {
    return this.#db
      .prepare<[string, number], { topic: string; qos: Qos; payload: Buffer }>(
        'SELECT topic, qos, payload FROM retained WHERE topic > ? ORDER BY topic LIMIT ?',
      )
      .all(afterTopic, maxCount);
  }

  lastPlace(): Place {
    const places = this.#db.prepare<[], number | null>(
      'SELECT max(id) FROM sessions UNION ALL SELECT max(id) FROM wills UNION ALL SELECT max(place) FROM retained',
    );
    return Math.max(...places.pluck().all().map(Number));
  }

  #save(change: SessionChange): void {
    switch (change.kind) {
      case 'begin':
        // Left behind when a device was removed.
        this.#db.prepare('DELETE FROM subscriptions WHERE session = ?').run(change.session);
        this.#db
          .prepare('INSERT INTO sessions (id, client_id, owner) VALUES (?, ?, ?)')
          .run(change.session, change.clientId, change.owner);
        break;
      case 'subscribe':
        for (const { topic, qos, subscriptionIdentifier = null } of change.subscriptions) {
          this.#db
            .prepare('INSERT OR REPLACE INTO subscriptions VALUES (?, ?, ?, ?)')
            .run(change.session, topic, qos, subscriptionIdentifier);
        }
        break;
      case 'unsubscribe':
        for (const topic of change.topics) {
          this.#db.prepare('DELETE FROM subscriptions WHERE session = ? AND topic = ?').run(change.session, topic);
        }
        break;
      case 'away':
        this.#db.prepare('UPDATE sessions SET away_since = ? WHERE id = ?').run(change.since, change.session);
        break;
      case 'end':
        this.#db.prepare('DELETE FROM subscriptions WHERE session = ?').run(change.session);
        this.#db.prepare('DELETE FROM sessions WHERE id = ?').run(change.session);
        break;
      case 'will':
        this.wills.put(change.will);
        break;
      case 'will_gone':
        this.wills.remove(change.id);
        break;
    }
  }
}

function subscriptionOf({ topic, qos, identifier }: SubscriptionColumns): StoredSubscription {
  return { topic, qos, ...(identifier !== null && { subscriptionIdentifier: identifier }) };
}
