import type { Buffer } from 'node:buffer';

/** What is read of one port that is open. */
export interface PortReading {
  /**
   * Calls back with what comes, and waits for what that returns, until the port is gone or closed; then resolves. The bytes
   * are only lent. Never rejects.
   */
  read(onBytes: (bytes: Buffer) => Promise<void> | undefined): Promise<void>;
  /** Resolves when what had come by now is read and called back with. Never rejects. */
  caughtUp(): Promise<void>;
  /** What was read by now is called back with, as far as it is taken in a moment. Never rejects. */
  close(): Promise<void>;
}

export interface ReadingOptions {
  /** When the bytes came is part of what they say: they are told at once, and not with those of other ports. */
  readonly isPrompt: boolean;
  /** The device is told to wait while nothing is taken: little is read ahead, for it counts as handed over. */
  readonly waitsForRoom: boolean;
}

/** Opens the port for reading alone; nothing is read before `read`. Rejects with the error of the operating system. */
export type OpenReading = (path: string, options: ReadingOptions) => Promise<PortReading>;
