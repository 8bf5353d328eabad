import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Kept by no cache, taken for nothing else than it says. */
const EVERY_ANSWER: OutgoingHttpHeaders = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/**
 * Carries the headers that every answer has, those of errors too. Here and neither as a middleware nor with `setHeader`:
 * header by header, they would cost as much as the rest of a small answer.
 */
export class Answer extends ServerResponse<IncomingMessage> {
  override writeHead(status: number, ...rest: readonly unknown[]): this {
    const [reason, headers] = typeof rest[0] === 'string' ? [rest[0], rest[1]] : [undefined, rest[0]];
    const all = { ...EVERY_ANSWER, ...(headers as OutgoingHttpHeaders | undefined) };
    return reason === undefined ? super.writeHead(status, all) : super.writeHead(status, reason, all);
  }
}
