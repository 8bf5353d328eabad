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
  readonly #subscription: ReturnType<typeof prepareSubscription>;

  constructor(db: Database.Database) {
    this.#db = db;
    this.wills = new WillTable(db);
    this.#subscription = prepareSubscription(db);
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
      'INSERT OR REPLACE INTO retained VALUES (@topic, @place, @qos, @payload, row_sum(@topic, @place, @qos, @payload))',
    );
    const remove = this.#db.prepare('DELETE FROM retained WHERE topic = ?');
    const newest = new Map(messages.map((message) => [message.topic, message]));
    this.#db.transaction(() => {
      for (const { topic, place, qos, payload } of newest.values()) {
        if (payload.byteLength === 0) remove.run(topic);
        else put.run({ topic, place, qos, payload: Buffer.from(payload) });
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
          .prepare(
            `INSERT INTO sessions (id, client_id, owner, sum, subscribed)
             VALUES (@session, @clientId, @owner, row_sum(@session, @clientId, @owner, NULL), 0)`,
          )
          .run({ session: change.session, clientId: change.clientId, owner: change.owner });
        break;
      case 'subscribe':
        for (const { topic, qos, subscriptionIdentifier: identifier = null } of change.subscriptions) {
          this.#unsubscribe(change.session, topic);
          this.#db.prepare('INSERT INTO subscriptions VALUES (?, ?, ?, ?)').run(change.session, topic, qos, identifier);
          this.#db
            .prepare('UPDATE sessions SET subscribed = subscribed + row_sum(?, ?, ?, ?) WHERE id = ?')
            .run(change.session, topic, qos, identifier, change.session);
        }
        break;
      case 'unsubscribe':
        for (const topic of change.topics) this.#unsubscribe(change.session, topic);
        break;
      case 'away':
        // A checksum that does not hold must not be made one that does.
        this.#db
          .prepare(
            `UPDATE sessions SET away_since = @since, sum = sum + row_sum(id, client_id, owner, @since)
               - row_sum(id, client_id, owner, away_since) WHERE id = @session`,
          )
          .run({ session: change.session, since: change.since });
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

  #unsubscribe(session: SessionId, topic: string): void {
    const sum = this.#subscription.remove.pluck().get(session, topic);
    if (sum !== undefined) this.#subscription.subtract.run(sum, session);
  }
}

/** One client may come with hundreds of them, so that they are not prepared again for each. */
function prepareSubscription(db: Database.Database) {
  return {
    put: db.prepare('INSERT INTO subscriptions VALUES (?, ?, ?, ?)'),
    add: db.prepare(
      'UPDATE sessions SET subscribed = subscribed + row_sum(@session, @topic, @qos, @identifier) WHERE id = @session',
    ),
    remove: db.prepare<[SessionId, string], number>(
      'DELETE FROM subscriptions WHERE session = ? AND topic = ? RETURNING row_sum(session, topic, qos, identifier)',
    ),
    subtract: db.prepare('UPDATE sessions SET subscribed = subscribed - ? WHERE id = ?'),
  };
}

function subscriptionOf({ topic, qos, identifier }: SubscriptionColumns): StoredSubscription {
  return { topic, qos, ...(identifier !== null && { subscriptionIdentifier: identifier }) };
}
