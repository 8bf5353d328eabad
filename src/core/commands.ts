/** Commands as those see them who give them. Kept by the command desk (`devices`), read by the API and the metrics. */

/** `queued` and `sent` wait for the answer; the others are final. */
export type CommandState = 'queued' | 'sent' | FinalState;
export type FinalState = 'done' | 'failed' | 'expired' | 'cancelled';

export const FINAL_STATES: readonly FinalState[] = ['done', 'failed', 'expired', 'cancelled'];

export interface NewCommand {
  readonly device: string;
  readonly name: string;
  /** Any value that JSON can hold; null when none was given. */
  readonly params: unknown;
  /** Within `COMMAND_TIMEOUT_MS`. */
  readonly timeoutMs: number;
  /** A `REQUEST_ID`; left out, one is made. */
  readonly requestId?: string | undefined;
  /** Over MQTT, so that whoever subscribed has it: it goes only ways that take the device's commands. */
  readonly isPublished?: boolean;
}

/** What those who publish a command may call it: it stands in topics, in addresses of the API and on serial lines. */
export const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;
export const COMMAND_TIMEOUT_MS = { min: 1, default: 5_000, max: 86_400_000 } as const;

/** Times are UTC milliseconds. */
export interface CommandView {
  /** Only grows, from one command to the next. */
  readonly number: number;
  readonly requestId: string;
  readonly device: string;
  readonly name: string;
  readonly params: unknown;
  readonly timeoutMs: number;
  readonly state: CommandState;
  readonly createdAt: number;
  readonly deadline: number;
  /** When it was written to the device; null while it was not, also of one that expired or was cancelled. */
  readonly sentAt: number | null;
  readonly finishedAt: number | null;
  /** What the device answered. Null without an answer. */
  readonly status: number | null;
  readonly result: unknown;
  readonly error: string | null;
}

/** Since the start. */
export interface CommandCounts {
  readonly finished: Readonly<Record<FinalState, number>>;
  /** Those that wait for an answer now. */
  readonly unfinished: number;
  /** Answers over MQTT that nobody waits for, or that are none, by the reason why. */
  readonly ignoredResponses: Readonly<Record<string, number>>;
  /** What was published over MQTT to a device that takes commands another way, and not given, by the reason why. */
  readonly refused: Readonly<Record<string, number>>;
}

/** In memory only: a restart forgets them all, and runs none. */
export interface Commands {
  /**
   * Offers it to the device at once, and again whenever that can be reached, until it is written or its time is over.
   * @throws SluiceError `too_many_commands`, `commands_full`, `command_too_large`, `request_id_used`, `stopping`
   */
  give(command: NewCommand): CommandView;
  /** Finished ones are there for an hour, or until newer ones need their room. */
  get(requestId: string): CommandView | undefined;
  /** Of one device, newest first, those with a number below `before`. */
  list(device: string, before: number, limit: number): readonly CommandView[];
  /** Resolves when it is finished, or after so many milliseconds, with the command as it is then. */
  finished(requestId: string, withinMs: number): Promise<CommandView | undefined>;
  /**
   * Nobody waits for it any more; undefined when there is none. One that was sent may still be run.
   * @throws SluiceError `command_finished`
   */
  cancel(requestId: string): CommandView | undefined;
}

/** Where commands are given that were published. */
export interface CommandDoor extends Pick<Commands, 'give' | 'get' | 'finished'> {
  /** Whether a way that nothing published goes takes the device's commands. */
  takes(device: string): boolean;
}
