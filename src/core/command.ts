/**
 * A command to a device, and the ways that lead to devices. Used by the command desk (`devices`), and kept by every
 * source that can write to devices.
 */

/** What a device is asked to do. */
export interface Command {
  readonly requestId: string;
  readonly device: string;
  readonly name: string;
  /** Any value that JSON can hold; null when none was given. */
  readonly params: unknown;
  /** How long somebody waits for the answer, from now on: less than was given when the command waited for its device. Milliseconds. */
  readonly timeoutMs: number;
  /** The end of that time, for a device that has a clock. UTC milliseconds. */
  readonly deadline: number;
}

/** What the device made of it. The status means what it means in HTTP: 2xx is done, anything else failed. */
export interface CommandAnswer {
  readonly status: number;
  /** Any value that JSON can hold. */
  readonly result?: unknown;
  readonly error?: string;
  /** Said by the way itself: nothing of the command was written, and it never can be. */
  readonly isUnsent?: true;
}

/** What became of handing a command over. */
export type Handover =
  /** It was written, so the device may have it: it is never sent again, by no way. An answer may follow. */
  | 'sent'
  /** It is not to be reached this way now; nothing of the command was or will be written. */
  | 'unreachable';

/** One way to devices. It keeps nothing for a device that is away. */
export interface CommandSink {
  /**
   * Whether commands to the device go this way, be it there or not. A way on which it gets what is published anyway
   * takes none.
   */
  takes(device: string): boolean;
  /**
   * Hands the command over if its device can be reached this way at this moment. Resolves by the deadline of the
   * command; never rejects. `onAnswer` is called once at most, possibly before this resolves, and not after `forget`.
   */
  send(command: Command, onAnswer: (answer: CommandAnswer) => void): Promise<Handover>;
  /**
   * Nobody waits any more: a command that is not written yet never is, and a late answer is let go. Called for every
   * command that was offered, whatever `send` said of it.
   */
  forget(requestId: string): void;
}

/** Told by a sink when a device that was `unreachable` is worth another try; null: any device may be. */
export type OnReachable = (device: string | null) => void;

/** What commands may be called: it stands in topics, and on serial lines. */
export const COMMAND_NAME = /^[A-Za-z0-9._-]{1,128}$/;
/** Of the parameters of a command, and of its answer, as JSON. */
export const MAX_COMMAND_BYTES = 64 * 1024;
