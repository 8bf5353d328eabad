import type { MessagePort, Worker } from 'node:worker_threads';
import { messageOf, SluiceError } from '../core/errors.ts';

export type Port = MessagePort | Worker;

type Transferables = readonly ArrayBuffer[];

interface Request {
  readonly id: number;
  readonly op: string;
  readonly args: unknown;
}

interface Fault {
  readonly message: string;
  readonly code: string;
  readonly retryable: boolean;
  readonly hint: string | undefined;
}

type Response = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly fault: Fault };

/** Operation names with the types of what goes there and what comes back. */
export type Operations = Record<string, { args: unknown; result: unknown }>;

/** Asks another thread. Every call settles: the other end answers each request, and `fail` ends what is open. */
export class RpcClient<Ops extends Operations> {
  readonly #port: Port;
  readonly #open = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #lastId = 0;
  #failure: SluiceError | undefined;

  constructor(port: Port) {
    this.#port = port;
    port.on('message', (response: Response) => this.#settle(response));
  }

  call<Op extends keyof Ops & string>(
    op: Op,
    args: Ops[Op]['args'],
    transfer: Transferables = [],
  ): Promise<Ops[Op]['result']> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#lastId += 1;
      this.#open.set(this.#lastId, { resolve, reject });
      this.#port.postMessage({ id: this.#lastId, op, args } satisfies Request, transfer);
    });
  }

  /** The other end is gone: rejects everything that is open, and all that comes. */
  fail(error: SluiceError): void {
    this.#failure = error;
    for (const { reject } of this.#open.values()) reject(error);
    this.#open.clear();
  }

  #settle(response: Response): void {
    const open = this.#open.get(response.id);
    if (open === undefined) return;
    this.#open.delete(response.id);
    if ('fault' in response) open.reject(new SluiceError(response.fault.message, definedOnly(response.fault)));
    else open.resolve(response.value as never);
  }
}

function definedOnly({ code, retryable, hint }: Fault): { code: string; retryable: boolean; hint?: string } {
  return hint === undefined ? { code, retryable } : { code, retryable, hint };
}

export interface Reply {
  ok(value: unknown, transfer?: Transferables): void;
  fail(error: unknown): void;
  /** Either, by what becomes of the work. */
  settle(work: Promise<unknown>): void;
}

/** Answers what the other thread asks. A handler that throws is answered with that error. */
export function serve(port: Port, handle: (op: string, args: never, reply: Reply) => void): void {
  port.on('message', ({ id, op, args }: Request) => {
    const reply: Reply = {
      ok: (value, transfer = []) => port.postMessage({ id, value } satisfies Response, transfer),
      fail: (error) => port.postMessage({ id, fault: faultOf(error) } satisfies Response),
      settle: (work) => void work.then((value) => reply.ok(value), reply.fail),
    };
    try {
      handle(op, args as never, reply);
    } catch (error) {
      reply.fail(error);
    }
  });
}

function faultOf(error: unknown): Fault {
  if (error instanceof SluiceError) {
    return { message: error.message, code: error.code, retryable: error.retryable, hint: error.hint };
  }
  return { message: messageOf(error), code: 'store_error', retryable: false, hint: undefined };
}
