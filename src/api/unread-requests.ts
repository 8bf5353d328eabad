import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { codeOf, SluiceError } from '../core/errors.ts';
import { type Answer, EVERY_ANSWER } from './answer.ts';
import { type ProblemAnswer, problemOf } from './problems.ts';

/** The socket as Node keeps it: with the answer under way. It is how Node itself knows whether one has begun. */
type AnsweringSocket = Socket & { readonly _httpMessage?: Answer | null };

/** Answers requests that Node refuses before anybody else sees them, which would be without a body; then closes. */
export function answerUnread(server: Server): void {
  server.on('clientError', (error, socket) => refuse(error, socket as AnsweringSocket));
  server.on('checkExpectation', (_request: IncomingMessage, answer: Answer) => {
    const { status, headers, body } = lastAnswer(UNKNOWN_EXPECTATION);
    answer.writeHead(status, headers).end(body);
  });
}

/** There may be nobody left to answer, or another answer that this would break, or be taken for. */
function refuse(error: Error, socket: AnsweringSocket): void {
  const problem = meaningOf(codeOf(error) ?? '');
  const { _httpMessage: earlier } = socket;
  if (problem === undefined || !socket.writable || earlier?.headersSent || earlier?.req.complete) {
    socket.destroy();
    return;
  }
  socket.write(rawAnswer(problem));
  socket.destroySoon();
}

/** Undefined when the connection itself failed: TLS, a reset. */
function meaningOf(code: string): SluiceError | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return TOO_SLOW;
  if (code === 'HPE_HEADER_OVERFLOW') return HEADERS_TOO_LARGE;
  return code.startsWith('HPE_') ? NO_HTTP : undefined;
}

function rawAnswer(error: SluiceError): string {
  const { status, headers, body } = lastAnswer(error);
  const lines = Object.entries({ ...EVERY_ANSWER, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`;
}

/** The connection closes behind it. */
function lastAnswer(error: SluiceError): ProblemAnswer {
  const { status, headers, body } = problemOf(error);
  const closing = { 'content-length': String(Buffer.byteLength(body)), connection: 'close' };
  return { status, headers: { ...headers, ...closing }, body };
}

const TOO_SLOW = new SluiceError('the request did not come whole in time', {
  code: 'request_timeout',
  hint: 'Send it again, all at once.',
});
const HEADERS_TOO_LARGE = new SluiceError('the head of the request is larger than 16 KiB', {
  code: 'headers_too_large',
  hint: 'Send fewer or shorter headers: cookies are not needed.',
});
const NO_HTTP = new SluiceError('the request is not HTTP/1.1', {
  code: 'bad_request',
  hint: 'Look at what sends it: its first line, a header or the length of its body is malformed.',
});
const UNKNOWN_EXPECTATION = new SluiceError('the gateway does not know what the request expects', {
  code: 'expectation_failed',
  hint: 'Send it without the header Expect.',
});
