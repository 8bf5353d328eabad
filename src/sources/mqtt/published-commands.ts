import type { Buffer } from 'node:buffer';
import { isDeepStrictEqual } from 'node:util';
import type { CommandAnswer } from '../../core/command.ts';
import type { CommandDoor, CommandView } from '../../core/commands.ts';
import { deviceOfTopic, nameInNamespace } from '../../core/device-topic.ts';
import { SluiceError } from '../../core/errors.ts';
import type { Identity } from './access.ts';
import { answerOf, refusalOf } from './command-outcome.ts';
import { type AskedCommand, parseCommand } from './published-command.ts';

/** Something that a client published, and was allowed to. */
export interface HeardMessage {
  readonly clientId: string;
  readonly identity: Identity;
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  /** The client says that it has sent it before (DUP), or it is of a QoS 2 exchange that is open. */
  readonly isRepetition: boolean;
}

/** Foreign text, but for reason and error. */
export interface RefusedCommand extends Pick<HeardMessage, 'clientId' | 'identity' | 'topic'> {
  /** A `CommandFault`, `unknown_repetition`, or the code of what the desk said. */
  readonly reason: string;
  readonly error: string;
}

export interface PublishedCommandsOptions {
  readonly door: CommandDoor;
  /** Says something to local subscribers. */
  readonly publish: (publication: { readonly topic: string; readonly payload: string; readonly qos: 1 }) => void;
  readonly onRefused: (refused: RefusedCommand) => void;
}

/** One who sends a command to a device. */
interface Request {
  readonly heard: HeardMessage;
  readonly device: string;
}

const COMMANDS = 'commands/';
/** Behind the end of a command, which ends by itself. */
const MARGIN_MS = 1_000;
const UNKNOWN_REPETITION: CommandAnswer = {
  status: 409,
  error:
    'it came as a repetition (DUP) of a message that is not known, so nobody can tell whether it was run; it is not run now: publish it anew',
};
/** The gateway stops. */
const FORGOTTEN: CommandAnswer = {
  status: 503,
  error: 'the gateway stops and forgets it; it may have been run all the same',
};

/**
 * Commands that clients publish to devices which take them another way than MQTT. Whoever subscribed over MQTT gets the
 * message itself, as any other. A repetition is never given: what it repeats may have been run.
 */
export class PublishedCommands {
  readonly #options: PublishedCommandsOptions;
  /** Request ids whose answers are to be published. */
  readonly #awaited = new Set<string>();
  readonly #refusedCounts: Record<string, number> = {};

  constructor(options: PublishedCommandsOptions) {
    this.#options = options;
  }

  /** By reason, since the start. */
  get refusedCounts(): Readonly<Record<string, number>> {
    return this.#refusedCounts;
  }

  /** Something that was published, and allowed; most is no command. */
  heard(heard: HeardMessage): void {
    // For each message that is published: most are told apart by this alone.
    if (!heard.topic.includes(COMMANDS)) return;
    const name = nameInNamespace(heard.topic);
    const device = deviceOfTopic(heard.topic);
    if (device === undefined || name?.startsWith(COMMANDS) !== true || !this.#options.door.takes(device)) return;
    // That removes the retained message of the topic [MQTT-3.3.1-10].
    if (heard.retain && heard.payload.length === 0) return;
    const asked = parseCommand(name.slice(COMMANDS.length), heard.payload);
    const request = { heard, device };
    if ('fault' in asked) this.#refuse(request, asked.requestId, { ...asked, reason: asked.fault });
    else this.#give(request, asked);
  }

  #give(request: Request, asked: AskedCommand): void {
    const { requestId } = asked;
    const { door } = this.#options;
    const { device, heard } = request;
    const known = requestId === undefined ? undefined : door.get(requestId);
    if (known !== undefined && isSame(known, { ...asked, device })) {
      this.#count('repeated');
      void this.#answer(known);
      return;
    }
    if (known === undefined && heard.isRepetition) {
      this.#refuse(request, requestId, { ...UNKNOWN_REPETITION, reason: 'unknown_repetition' });
      return;
    }
    try {
      void this.#answer(door.give({ ...asked, device, isPublished: true }));
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      this.#refuse(request, requestId, { ...refusalOf(error), reason: error.code });
    }
  }

  /** When it is finished, which it may be already: once for all who wait. */
  async #answer({ requestId, device, timeoutMs }: CommandView): Promise<void> {
    if (this.#awaited.has(requestId)) return;
    this.#awaited.add(requestId);
    const finished = this.#options.door.finished(requestId, timeoutMs + MARGIN_MS);
    const answer = await finished.then(answerOf, () => FORGOTTEN);
    this.#awaited.delete(requestId);
    this.#publish(device, requestId, answer);
  }

  #refuse(
    { heard, device }: Request,
    requestId: string | undefined,
    { status, error = '', reason }: CommandAnswer & { readonly reason: string },
  ): void {
    const { clientId, identity, topic } = heard;
    this.#count(reason);
    this.#options.onRefused({ clientId, identity, topic, reason, error });
    if (requestId !== undefined) this.#publish(device, requestId, { status, error });
  }

  #publish(device: string, requestId: string, answer: CommandAnswer): void {
    const topic = `devices/${device}/responses/${requestId}`;
    this.#options.publish({ topic, payload: JSON.stringify(answer), qos: 1 });
  }

  #count(reason: string): void {
    this.#refusedCounts[reason] = (this.#refusedCounts[reason] ?? 0) + 1;
  }
}

function isSame(known: CommandView, { device, name, params }: AskedCommand & { readonly device: string }): boolean {
  return known.device === device && known.name === name && isDeepStrictEqual(known.params, params);
}
