import type { Seq } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import { damaged } from '../file-errors.ts';

/**
 * The body of a record, in SQL. Where the head of a row is damaged SQLite takes it for text, a number or nothing: it is
 * read as bytes all the same, and its checksum does not hold.
 */
export const BODY = "CAST(coalesce(body, '') AS BLOB)";

/**
 * To be asked of each row in its turn. SQLite believes a row that says it is another one, and whoever took its seq for a
 * position would pass over records, or stand still. @throws SluiceError `store_damaged`
 */
export function checkOrder(stream: Stream, seq: Seq, after: Seq): void {
  if (seq <= after) throw damaged('log.db', `in ${stream} seq ${seq} stands behind ${after}`);
}
