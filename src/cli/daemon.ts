import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { codeOf, messageOf, SluiceError } from '../core/errors.ts';

const DEADLINE_MS = 5_000;
/** 10,000 devices need about 1 MiB. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface Answer {
  readonly status: number;
  /** Parsed JSON; undefined for an empty body. */
  readonly body: unknown;
}

/** The running gateway, over its control socket. */
export class Daemon {
  readonly #dataDir: string;
  readonly #deadlineMs: number;

  constructor(dataDir: string, deadlineMs: number = DEADLINE_MS) {
    this.#dataDir = dataDir;
    this.#deadlineMs = deadlineMs;
  }

  /**
   * @throws SluiceError `not_running`, `not_allowed`, `no_answer`, `bad_answer`; the problem's code when the gateway
   * answers with one
   */
  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const signal = AbortSignal.timeout(this.#deadlineMs);
    const answer = await this.#exchange({ method, path, signal }, body).catch((error: unknown) => {
      throw signal.aborted ? this.#silent() : this.#explain(error);
    });
    if (answer.status >= 400 && isProblem(answer.body)) throw problemError(answer.body);
    return answer;
  }

  async #exchange(options: RequestOptions, body: unknown): Promise<Answer> {
    const response = await this.#send(options, body);
    const content = await read(response);
    return { status: response.statusCode ?? 0, body: content === '' ? undefined : JSON.parse(content) };
  }

  async #send(options: RequestOptions, body: unknown): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const outgoing = request({
      ...options,
      socketPath: join(this.#dataDir, 'control.sock'),
      agent: false,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
    });
    outgoing.on('response', resolve).on('error', reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    return await promise;
  }

  #silent(): SluiceError {
    const message = `the gateway has not answered for ${this.#deadlineMs / 1000} s`;
    return new SluiceError(message, { code: 'no_answer', hint: 'its log says what it does' });
  }

  #explain(error: unknown): SluiceError {
    switch (codeOf(error)) {
      case 'ENOENT':
      case 'ECONNREFUSED':
        return new SluiceError(`no gateway runs on ${this.#dataDir}`, {
          code: 'not_running',
          hint: 'start it with sluice run, or name its configuration with --config FILE',
        });
      case 'EACCES':
        return new SluiceError(`this user may not talk to the gateway on ${this.#dataDir}`, {
          code: 'not_allowed',
          hint: 'run this as the user that the gateway runs as, or with sudo',
        });
      default:
        return new SluiceError(`the gateway's answer cannot be read: ${messageOf(error)}`, { code: 'bad_answer' });
    }
  }
}

async function read(response: IncomingMessage): Promise<string> {
  let size = 0;
  response.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) response.destroy(new Error('it is too large'));
  });
  return await text(response);
}

interface Problem {
  readonly type: string;
  readonly detail: string;
}

/** RFC 9457, as the gateway writes it. */
function isProblem(body: unknown): body is Problem {
  if (typeof body !== 'object' || body === null || !('type' in body && 'detail' in body)) return false;
  return typeof body.type === 'string' && typeof body.detail === 'string';
}

function problemError({ type, detail }: Problem): SluiceError {
  return new SluiceError(detail, { code: type.replace('/problems/', '') });
}
