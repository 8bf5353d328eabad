import { fstatSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { codeOf } from '../core/errors.ts';

/** Takes one finished line, with its line feed. */
export type LineSink = (line: string) => void;

const FULL_PIPE_PAUSE_MS = 5;
const FULL_PIPE_TRIES = 200;

/**
 * Writes whole lines to a file descriptor, at once and in order, from any thread (a worker's `process.stdout` would
 * go through the main thread). A line that cannot be written is given up: a full disk or a reader that went away
 * must not stop the gateway.
 */
export function lineSinkFor(fd: number): LineSink {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  return (line) => {
    const bytes = Buffer.from(line, 'utf8');
    let written = 0;
    for (let tries = 0; written < bytes.byteLength && tries < FULL_PIPE_TRIES; ) {
      try {
        written += writeSync(fd, bytes, written);
      } catch (error) {
        if (codeOf(error) !== 'EAGAIN') return;
        tries += 1;
        Atomics.wait(pause, 0, 0, FULL_PIPE_PAUSE_MS);
      }
    }
  };
}

export function isTerminal(fd: number): boolean {
  return isatty(fd);
}

/** True when `fd` is the stream that systemd connected to the journal: `JOURNAL_STREAM` = device:inode, systemd.exec(5). */
export function isJournal(fd: number, journalStream: string | undefined): boolean {
  if (journalStream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(fd);
    return journalStream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
