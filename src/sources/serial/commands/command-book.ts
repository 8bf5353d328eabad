import type { Buffer } from 'node:buffer';
import type { Command, CommandAnswer } from '../../../core/command.ts';
import { badCommand } from '../../../core/command-template.ts';
import { SluiceError } from '../../../core/errors.ts';
import { printable } from '../../../core/printable.ts';
import type { Framing } from '../framing/framing.ts';
import type { CommandOptions } from './options.ts';
import { type Payload, payloadOf } from './payload.ts';
import { refused } from './refused.ts';
import { type Response, responseOf } from './response.ts';

/** A command as it stands on the line. */
export interface Order {
  readonly command: Command;
  readonly bytes: Buffer;
  /** Undefined: nobody answers. */
  readonly response: Response | undefined;
}

/** An order, or why there is none. */
export type Planned = { readonly order: Order } | { readonly refusal: CommandAnswer };

interface Page {
  readonly payload: Payload;
  readonly response: Response | undefined;
}

/** The commands of a port. */
export class CommandBook {
  readonly #port: string;
  readonly #framing: Framing;
  readonly #pages: ReadonlyMap<string, Page>;

  /** `port`: what people call it. */
  constructor(port: string, commands: readonly CommandOptions[], framing: Framing) {
    this.#port = port;
    this.#framing = framing;
    this.#pages = new Map(
      commands.map((options) => [
        options.name,
        { payload: payloadOf(options), response: options.response && responseOf(options.response) },
      ]),
    );
  }

  /** Never throws. */
  plan(command: Command): Planned {
    const page = this.#pages.get(command.name);
    if (page === undefined) return { refusal: refused(404, this.#unknown(command.name)) };
    try {
      const bytes = this.#framed(page.payload(command));
      return { order: { command, bytes, response: page.response } };
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      return { refusal: refused(400, error.message) };
    }
  }

  /** Why the command cannot be written, whether the port is open or not. */
  refusal(command: Command): CommandAnswer | undefined {
    const planned = this.plan(command);
    return 'refusal' in planned ? planned.refusal : undefined;
  }

  #framed(payload: Buffer): Buffer {
    const bytes = this.#framing.encode(payload);
    if (bytes !== undefined) return bytes;
    throw badCommand(
      `the framing of port ${this.#port} cannot carry these ${payload.length} bytes: too many or too few, or among them what ends a frame`,
    );
  }

  #unknown(name: string): string {
    return `port ${this.#port} has no command ${printable(name)}; it has ${[...this.#pages.keys()].join(', ')}`;
  }
}
