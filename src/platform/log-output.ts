import { fstatSync, writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import { codeOf } from '../core/errors.ts';

/** Takes one finished line, with its line feed. */
export type LineSink = (line: string) => void;

const FULL_PIPE_PAUSE_MS = 5;
const FULL_PIPE_TRIES = 200;

/**
 * Writes whole lines to a file descriptor, at once and in order, from any thread (a worker's `process.stdout` would
 * go through the main thread). A line that cannot be written within a second is given up: a full disk or a reader
 * that stopped reading must not stop the gateway. The lines behind it do not wait, until the reader reads again.
 */
export function lineSinkFor(fd: number): LineSink {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  let isBlocked = false;
  let isCut = false;
  return (line) => {
    // The reader must not take the rest of a line that was cut and this one for one line.
    const bytes = Buffer.from(isCut ? `\n${line}` : line, 'utf8');
    let written = 0;
    for (let triesLeft = isBlocked ? 1 : FULL_PIPE_TRIES; written < bytes.byteLength && triesLeft > 0; ) {
      try {
        written += writeSync(fd, bytes, written);
      } catch (error) {
        if (codeOf(error) !== 'EAGAIN') break;
        triesLeft -= 1;
        if (triesLeft > 0) Atomics.wait(pause, 0, 0, FULL_PIPE_PAUSE_MS);
      }
    }
    isBlocked = written < bytes.byteLength;
    isCut = isBlocked && (isCut || written > 0);
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
