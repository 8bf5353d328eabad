import { type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http';

type Headers = OutgoingHttpHeaders | readonly OutgoingHttpHeader[] | undefined;

/** Kept by no cache, taken for nothing else than it says. */
export const EVERY_ANSWER = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;
const EVERY_ANSWER_AS_LIST = Object.entries(EVERY_ANSWER).flat();

/** What sends the answers that were ended in this turn of the event loop. */
let ended: (() => void)[] = [];

/**
 * Carries the headers that every answer has, those of errors too. Here and neither as a middleware nor with `setHeader`:
 * header by header, they would cost as much as the rest of a small answer.
 */
export class Answer extends ServerResponse<IncomingMessage> {
  override writeHead(status: number, ...rest: readonly unknown[]): this {
    const [reason, headers] = typeof rest[0] === 'string' ? [rest[0], rest[1]] : [undefined, rest[0]];
    const all = withEvery(headers as Headers);
    return reason === undefined ? super.writeHead(status, all) : super.writeHead(status, reason, all);
  }

  /**
   * The answers of one turn of the event loop leave together, behind it. One at a time, nearly each would wake a client
   * that sleeps, and that takes longer than to make a small answer.
   */
  override end(...rest: readonly unknown[]): this {
    if (ended.length === 0) setImmediate(sendEnded);
    ended.push(() => super.end(...(rest as Parameters<ServerResponse['end']>)));
    return this;
  }
}

function sendEnded(): void {
  const all = ended;
  ended = [];
  for (const send of all) send();
}

/** Node takes them as an object, or as one list of names and values by turns. */
function withEvery(headers: Headers): OutgoingHttpHeaders | OutgoingHttpHeader[] {
  if (isList(headers)) return [...EVERY_ANSWER_AS_LIST, ...headers];
  return { ...EVERY_ANSWER, ...headers };
}

function isList(headers: Headers): headers is readonly OutgoingHttpHeader[] {
  return Array.isArray(headers);
}
