import { Buffer } from 'node:buffer';
import type Database from 'better-sqlite3';
import type { Seq } from '../../core/record.ts';
import { isIntact, readRecord } from '../../core/record-codec.ts';
import type {
  KeptMessage,
  MessageContent,
  Place,
  Qos,
  QueueChange,
  QueuedMessage,
  QueuePage,
  QueuePosition,
  RecordPlace,
  RetainedMessage,
  SessionId,
} from '../../core/session.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import type { Records } from './records.ts';

export interface FreshRetained extends RetainedMessage {
  readonly place: Place;
}

/** A row of `packets`: its own topic and payload, or where the record stands that has them. */
interface PacketColumns {
  readonly place: Place;
  readonly qos: Qos;
  readonly at: number;
  readonly topic: string | null;
  readonly payload: Buffer | null;
  readonly stream: Stream | null;
  readonly seq: Seq | null;
  /** By the checksums of all that was read. */
  readonly is_intact: 0 | 1;
}

interface QueuedColumns extends PacketColumns {
  readonly session: SessionId;
  readonly packet_id: number;
  readonly copy_qos: 1 | 2;
  readonly released: number;
}

const NO_CONTENT: MessageContent = { topic: '', payload: new Uint8Array() };

/**
 * What the MQTT broker keeps of messages: a packet once, a row per session that waits for it, and which of them are
 * retained and not yet in `state.db`. A packet that is a record points at it. Belongs into the store's transaction.
 */
export class Queues {
  readonly #records: Records;
  readonly #statements: ReturnType<typeof prepare>;
  /** No packet points at an older record of the stream; absent when none points at any. */
  readonly #oldestSeq = new Map<Stream, Seq>();

  constructor(db: Database.Database, records: Records) {
    this.#records = records;
    this.#statements = prepare(db);
    this.reload();
  }

  /** Reads again, as it is on disk, from which seqs on records are pointed at. */
  reload(): void {
    this.#oldestSeq.clear();
    for (const stream of STREAMS) this.#lookForOldest(stream);
  }

  /** `record`: has topic and payload, when the message comes without one. */
  keep(message: KeptMessage, record: RecordPlace | null): void {
    const { place, qos, at, topic, payload } = message;
    const { insertPacket } = this.#statements;
    if (payload === null && record !== null) {
      insertPacket.run({ place, qos, at, topic: null, payload: null, ...record });
      if (!this.#oldestSeq.has(record.stream)) this.#oldestSeq.set(record.stream, record.seq);
    } else insertPacket.run({ place, qos, at, topic, payload: Buffer.from(payload ?? []), stream: null, seq: null });
    for (const copy of message.copies) this.#statements.insertCopy.run({ place, ...copy });
    if (message.retained) this.#statements.insertFresh.run(place);
  }

  change(changes: readonly QueueChange[]): void {
    for (const change of changes) {
      if (change.kind === 'ended') this.#end(change.session);
      else if (change.kind === 'released') this.#statements.release.run(change.place, change.session);
      else if (this.#statements.removeCopy.run(change.place, change.session).changes > 0) {
        this.#statements.removeUnused.run(change.place);
      }
    }
  }

  /** The next messages behind a position. One whose row is damaged is left out. */
  page(after: QueuePosition, maxCount: number): QueuePage {
    const rows = this.#statements.page.all(after.place, after.session, maxCount) as QueuedColumns[];
    const intact = rows.filter(({ is_intact: isIntactRow }) => isIntactRow === 1);
    const messages = intact.map((row): QueuedMessage => {
      const { place, session, packet_id: packetId, copy_qos: qos, at } = row;
      const released = row.released === 1;
      // PUBREL says nothing of what was received.
      return { place, session, packetId, qos, at, released, content: released ? NO_CONTENT : this.#contentOf(row) };
    });
    const last = rows.at(-1);
    return { messages, upTo: last === undefined ? null : { place: last.place, session: last.session } };
  }

  /** Retained messages that `state.db` may not have yet, oldest first, and how far they reach; 0 when there are none. */
  fresh(maxCount: number): { readonly messages: FreshRetained[]; readonly upTo: Place } {
    const rows = this.#statements.fresh.all(maxCount) as PacketColumns[];
    // Of one that is damaged the topic is not known any more: the message before it stays.
    const messages = rows.flatMap((row) => {
      const content = this.#contentOf(row);
      return content === null ? [] : [{ place: row.place, qos: row.qos, ...content }];
    });
    return { messages, upTo: rows.at(-1)?.place ?? 0 };
  }

  /** `state.db` has all of them up to here. */
  settleFresh(upTo: Place): void {
    this.#statements.removeSettled.run(upTo);
    this.#statements.removeFresh.run(upTo);
  }

  /** To be called before records are removed: what points at them takes topic and payload over. */
  detach(stream: Stream, upTo: Seq): void {
    if (upTo < (this.#oldestSeq.get(stream) ?? Number.POSITIVE_INFINITY)) return;
    for (const row of this.#statements.pointing.all(stream, upTo) as PacketColumns[]) {
      const content = this.#contentOf(row);
      if (content === null) this.#statements.removePacket.run(row.place);
      else this.#statements.fill.run({ ...content, place: row.place });
    }
    this.#lookForOldest(stream);
  }

  /** False when no packet is this record. */
  mayPointAt(stream: Stream, seq: Seq): boolean {
    return seq >= (this.#oldestSeq.get(stream) ?? Number.POSITIVE_INFINITY);
  }

  /** Forgets what is queued for sessions that are not among these. */
  keepOnly(sessions: ReadonlySet<SessionId>): void {
    for (const session of this.#statements.sessions.all() as SessionId[]) {
      if (!sessions.has(session)) this.#end(session);
    }
  }

  /** What is damaged, and whatever waits for that. Returns how many copies and retained messages are lost with it. */
  giveUpDamaged(): number {
    const { sumPackets, sumQueued, dropWrongCopies, dropWrongPackets, dropCopiesOfNone, dropFreshOfNone } =
      this.#statements;
    sumPackets.run();
    sumQueued.run();
    const copies = dropWrongCopies.run().changes;
    dropWrongPackets.run();
    const lost = copies + dropCopiesOfNone.run().changes + dropFreshOfNone.run().changes;
    if (lost > 0) this.#statements.removeAllUnused.run();
    this.reload();
    return lost;
  }

  lastPlace(): Place {
    return Number(this.#statements.lastPlace.get() ?? 0);
  }

  #end(session: SessionId): void {
    this.#statements.removeSession.run(session);
    this.#statements.removeAllUnused.run();
  }

  #lookForOldest(stream: Stream): void {
    const seq = this.#statements.oldestSeq.get(stream) as Seq | null;
    if (seq === null) this.#oldestSeq.delete(stream);
    else this.#oldestSeq.set(stream, seq);
  }

  #contentOf({ topic, payload, stream, seq, is_intact: isIntactRow }: PacketColumns): MessageContent | null {
    if (isIntactRow === 0) return null;
    if (topic !== null && payload !== null) return { topic, payload };
    if (stream === null || seq === null) return null;
    const body = this.#records.body(stream, seq);
    if (body === undefined || !isIntact(body, seq)) return null;
    const { channel, value } = readRecord(stream, seq, body);
    return { topic: channel, payload: Buffer.from(value) };
  }
}

const ofPacket = 'row_sum(packets.place, packets.qos, at, topic, payload, stream, seq)';
const ofQueued = 'row_sum(queued.place, session, packet_id, queued.qos, released)';
/** In SQL: 1 also for a row of before, which has none. */
const isRightPacket = `packets.sum IS NULL OR packets.sum = ${ofPacket}`;
const isRightQueued = `queued.sum IS NULL OR queued.sum = ${ofQueued}`;

function prepare(db: Database.Database) {
  const columns = 'packets.place, packets.qos, packets.at, topic, payload, stream, seq';
  const packet = `${columns}, (${isRightPacket}) AS is_intact`;
  const unused = `place NOT IN (SELECT place FROM queued) AND place NOT IN (SELECT place FROM fresh_retained)`;
  const isUnused = `NOT EXISTS (SELECT 1 FROM queued WHERE queued.place = packets.place)
                AND NOT EXISTS (SELECT 1 FROM fresh_retained WHERE fresh_retained.place = packets.place)`;
  return {
    insertPacket: db.prepare(
      `INSERT INTO packets VALUES (@place, @qos, @at, @topic, @payload, @stream, @seq,
         row_sum(@place, @qos, @at, @topic, @payload, @stream, @seq))`,
    ),
    insertCopy: db.prepare(
      'INSERT INTO queued VALUES (@place, @session, @packetId, @qos, 0, row_sum(@place, @session, @packetId, @qos, 0))',
    ),
    insertFresh: db.prepare('INSERT INTO fresh_retained VALUES (?)'),
    // A checksum that does not hold must not be made one that does.
    release: db.prepare(
      `UPDATE queued SET released = 1, sum = sum - ${ofQueued} + row_sum(place, session, packet_id, qos, 1)
        WHERE place = ? AND session = ?`,
    ),
    removeCopy: db.prepare('DELETE FROM queued WHERE place = ? AND session = ?'),
    removeSession: db.prepare('DELETE FROM queued WHERE session = ?'),
    removeFresh: db.prepare('DELETE FROM fresh_retained WHERE place <= ?'),
    removePacket: db.prepare('DELETE FROM packets WHERE place = ?'),
    removeUnused: db.prepare(`DELETE FROM packets WHERE place = ? AND ${isUnused}`),
    // Not by what is unused: that would look at all that waits for sessions, every second.
    removeSettled: db.prepare(
      `DELETE FROM packets WHERE place IN (SELECT place FROM fresh_retained WHERE place <= ?)
          AND NOT EXISTS (SELECT 1 FROM queued WHERE queued.place = packets.place)`,
    ),
    removeAllUnused: db.prepare(`DELETE FROM packets WHERE ${unused}`),
    page: db.prepare(
      `SELECT ${columns}, session, packet_id, queued.qos AS copy_qos, released,
              ((${isRightPacket}) AND (${isRightQueued})) AS is_intact
         FROM queued JOIN packets USING (place)
        WHERE (queued.place, session) > (?, ?) ORDER BY queued.place, session LIMIT ?`,
    ),
    fresh: db.prepare(
      `SELECT ${packet} FROM fresh_retained JOIN packets USING (place) ORDER BY fresh_retained.place LIMIT ?`,
    ),
    pointing: db.prepare(`SELECT ${packet} FROM packets WHERE stream = ? AND seq <= ?`),
    fill: db.prepare(
      `UPDATE packets SET topic = @topic, payload = @payload, stream = NULL, seq = NULL,
          sum = row_sum(place, qos, at, @topic, @payload, NULL, NULL) WHERE place = @place`,
    ),
    sumPackets: db.prepare(`UPDATE packets SET sum = ${ofPacket} WHERE sum IS NULL`),
    sumQueued: db.prepare(`UPDATE queued SET sum = ${ofQueued} WHERE sum IS NULL`),
    dropWrongPackets: db.prepare(`DELETE FROM packets WHERE NOT (${isRightPacket})`),
    dropWrongCopies: db.prepare(`DELETE FROM queued WHERE NOT (${isRightQueued})`),
    dropCopiesOfNone: db.prepare('DELETE FROM queued WHERE place NOT IN (SELECT place FROM packets)'),
    dropFreshOfNone: db.prepare('DELETE FROM fresh_retained WHERE place NOT IN (SELECT place FROM packets)'),
    oldestSeq: db.prepare('SELECT min(seq) FROM packets WHERE stream = ?').pluck(),
    sessions: db.prepare('SELECT DISTINCT session FROM queued').pluck(),
    lastPlace: db.prepare('SELECT max(place) FROM packets').pluck(),
  };
}
