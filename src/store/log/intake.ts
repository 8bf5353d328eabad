import type Database from 'better-sqlite3';
import type { Appended } from '../../core/ports.ts';
import type { Handshake } from '../../core/record.ts';
import type { PackedEntry } from '../pack/unpack.ts';
import type { IdempotencyKeys, KnownKey } from './idempotency-keys.ts';
import type { Kept } from './kept.ts';
import type { Queues } from './queues.ts';
import type { Records } from './records.ts';
import type { UntakenReports } from './untaken.ts';

const NOTHING: Appended = { firstSeq: 0, duplicate: false };
const DUPLICATE: Appended = { firstSeq: 0, duplicate: true };

interface IntakeParts {
  readonly records: Records;
  readonly queues: Queues;
  readonly kept: Kept;
  readonly keys: IdempotencyKeys;
  readonly untaken: UntakenReports;
}

/** What comes in: new records, what was refused or not taken, and the exchanges that keep it from coming in twice. */
export class Intake {
  readonly #db: Database.Database;
  readonly #parts: IntakeParts;
  readonly #openHandshake: Database.Statement;
  readonly #closeHandshake: Database.Statement;
  readonly #closeHandshakes: Database.Statement;

  constructor(db: Database.Database, parts: IntakeParts) {
    this.#db = db;
    this.#parts = parts;
    this.#openHandshake = db.prepare('INSERT OR IGNORE INTO handshakes VALUES (?, ?)');
    this.#closeHandshake = db.prepare('DELETE FROM handshakes WHERE client_id = ? AND packet_id = ?');
    this.#closeHandshakes = db.prepare('DELETE FROM handshakes WHERE client_id = ?');
  }

  append(entry: PackedEntry): Appended {
    switch (entry.kind) {
      case 'records':
        return this.#appendRecords(entry);
      case 'refused':
        return this.#appendRefused(entry);
      case 'untaken':
        return this.#appendUntaken(entry);
      case 'queues':
        this.#parts.queues.change(entry.changes);
        return NOTHING;
      case 'release':
        this.#release(entry.clientId, entry.packetId);
        return NOTHING;
      case 'barrier':
        return NOTHING;
    }
  }

  /** Exchanges that are open on the disk. */
  openHandshakes(): Handshake[] {
    return this.#db.prepare<[], Handshake>('SELECT client_id AS clientId, packet_id AS packetId FROM handshakes').all();
  }

  #appendRecords({ handshake, idempotency, records, keep }: Extract<PackedEntry, { kind: 'records' }>): Appended {
    const { keys, queues } = this.#parts;
    const known = idempotency && keys.find(idempotency);
    if (known !== undefined) return repeatOf(known);
    if (this.#isRepeated(handshake)) return DUPLICATE;
    let firstSeq = 0;
    for (const { stream, body } of records) {
      const seq = this.#parts.records.append(stream, body);
      if (firstSeq === 0) firstSeq = seq;
    }
    if (idempotency !== undefined) keys.remember(idempotency, firstSeq);
    const only = records.length === 1 ? records[0] : undefined;
    if (keep !== undefined) queues.keep(keep, only === undefined ? null : { stream: only.stream, seq: firstSeq });
    return { firstSeq, duplicate: false };
  }

  #appendRefused({ message, handshake, keep }: Extract<PackedEntry, { kind: 'refused' }>): Appended {
    if (this.#isRepeated(handshake)) return DUPLICATE;
    this.#parts.kept.refuse(message);
    if (keep !== undefined) this.#parts.queues.keep(keep, null);
    return NOTHING;
  }

  #appendUntaken({ untaken, handshake, keep }: Extract<PackedEntry, { kind: 'untaken' }>): Appended {
    if (this.#isRepeated(handshake)) return DUPLICATE;
    this.#parts.untaken.add(untaken);
    if (keep !== undefined) this.#parts.queues.keep(keep, null);
    return NOTHING;
  }

  #isRepeated(handshake: Handshake | null = null): boolean {
    return handshake !== null && this.#openHandshake.run(handshake.clientId, handshake.packetId).changes === 0;
  }

  #release(clientId: string, packetId: number | null): void {
    if (packetId === null) this.#closeHandshakes.run(clientId);
    else this.#closeHandshake.run(clientId, packetId);
  }
}

function repeatOf(known: KnownKey): Appended {
  if ('reused' in known) return { firstSeq: 0, duplicate: false, keyReused: true };
  return { firstSeq: known.firstSeq, duplicate: true };
}
