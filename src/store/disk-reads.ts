import { Buffer } from 'node:buffer';
import { closeSync, openSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { codeOf, SluiceError } from '../core/errors.ts';
import { diskFaultOf, isDamageAtOpening } from './file-errors.ts';

export const PAGE_BYTES = 4096;
const CHUNK_BYTES = 256 * PAGE_BYTES;
/** A disk that does not give more than this, or more than half of what there is, fails as a whole. */
const MAX_UNREAD_PAGES = 1_024;
const RETRY_MS = 500;
/** All over a file. */
const PROBES = 8;
/** What a disk has not given for so long, while it gave the rest, counts as damaged. */
export const PATIENCE_MS = 10_000;

const UNREAD = /^(SQLITE_IOERR_(READ|CORRUPTFS)|EIO)$/;

/** The disk gave an error instead of what is there. SQLite mostly says `SQLITE_CORRUPT` then, as of damage. */
export function isUnread(error: unknown): boolean {
  return UNREAD.test(codeOf(error) ?? '');
}

/** False only when the disk says so: an error is no answer. */
export function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}

/**
 * For a start: damage is believed when a second look finds it too, and the disk gave all of the files in between, or did not
 * give a part of them for `PATIENCE_MS`. `look` asks `believe` before it gives up anything; nothing may have the files open
 * then. @throws SluiceError `store_unreadable`; anything that `look` throws
 */
export function lookTwice<T>(files: readonly string[], look: Look<T>): T {
  try {
    return look((error) => {
      throw error;
    }, false);
  } catch (error) {
    if (!isDamageAtOpening(error) && !isUnread(error)) throw error;
  }
  const unreadCount = waitForReads(files);
  return look((error) => {
    if (!isDamageAtOpening(error) && unreadCount === 0) throw error;
  }, unreadCount === 0);
}

/** Throws what is not to be believed yet. */
export type Believe = (error: unknown) => void;

/** `isAllGiven`: the disk has just given all of the files. */
export type Look<T> = (believe: Believe, isAllGiven: boolean) => T;

/**
 * Reads the files from their beginning to their end. Returns how many pages the disk does not give, though it gives the rest.
 * Blocks for `PATIENCE_MS` when there are any; ends locks that SQLite has on the files.
 * @throws SluiceError `store_unreadable` when the disk fails as a whole, or did so for a moment: then a new process may see
 * more
 */
export function waitForReads(files: readonly string[]): number {
  const there = files.filter(isThere);
  let unread = there.flatMap((file) => unreadPagesOf(file));
  if (unread.length === 0) return 0;
  const pageCount = there.reduce((sum, file) => sum + statSync(file).size / PAGE_BYTES, 0);
  const error = unreadable(`all of ${unread[0]?.file}`);
  if (unread.length > Math.min(MAX_UNREAD_PAGES, pageCount / 2)) throw error;
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += RETRY_MS) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    const still = unread.filter(({ file, at }) => !canRead(file, at, PAGE_BYTES));
    if (still.length < unread.length) throw error;
    unread = still;
  }
  return unread.length;
}

interface Page {
  readonly file: string;
  /** In bytes. */
  readonly at: number;
}

/** Of a database or its write-ahead log; reads all that is there of both. */
export function hasUnreadPages(file: string): boolean {
  return [file, `${file}-wal`].some((part) => isThere(part) && unreadPagesOf(part).length > 0);
}

/**
 * The disk takes and syncs a write, and gives some of the file: pages that it does not give at such a time are bad. What is read
 * may stand in memory, so that reads alone say nothing of the disk.
 */
export function isAnswering(file: string): boolean {
  const probe = `${file}.probe`;
  try {
    writeFileSync(probe, '', { flush: true });
    rmSync(probe);
    const { size } = statSync(file);
    const places = Array.from({ length: PROBES }, (_, index) => Math.floor((size * (index + 1)) / (PROBES + 1)));
    return places.some((at) => canRead(file, at, PAGE_BYTES));
  } catch (error) {
    if (diskFaultOf(error) === undefined) throw error;
    return false;
  }
}

/** `what`: of which files. */
export function unreadable(what: string, cause?: unknown): SluiceError {
  return new SluiceError(`the disk gives errors instead of ${what}`, {
    code: 'store_unreadable',
    retryable: true,
    hint: 'nothing was changed, and the next start tries again; if it stays so, look at the disk and what the kernel says of it',
    cause,
  });
}

/** No more than are needed to know that the disk fails as a whole. */
function unreadPagesOf(file: string): Page[] {
  const unread: Page[] = [];
  const { size } = statSync(file);
  for (let chunk = 0; chunk < size && unread.length <= MAX_UNREAD_PAGES; chunk += CHUNK_BYTES) {
    if (canRead(file, chunk, CHUNK_BYTES)) continue;
    for (let at = chunk; at < Math.min(size, chunk + CHUNK_BYTES); at += PAGE_BYTES) {
      if (!canRead(file, at, PAGE_BYTES)) unread.push({ file, at });
    }
  }
  return unread;
}

function canRead(file: string, at: number, bytes: number): boolean {
  const fd = openSync(file, 'r');
  try {
    const into = Buffer.allocUnsafe(bytes);
    // What stands before a bad page comes without an error.
    for (let read = 0, got = -1; read < bytes && got !== 0; read += got) {
      got = readSync(fd, into, read, bytes - read, at + read);
    }
    return true;
  } catch (error) {
    if (!isUnread(error)) throw error;
    return false;
  } finally {
    closeSync(fd);
  }
}

/**
 * Why a file cannot be read at all, or undefined: SQLite calls a file damaged when the disk gives an error instead of a page.
 * Only to be asked when there is damage, because it may end locks that SQLite has on the file.
 */
export function readErrorOf(file: string): unknown {
  try {
    firstPage(file);
  } catch (error) {
    if (diskFaultOf(error) !== undefined) return error;
  }
  return undefined;
}

/** Of a file that is there; zeros for what is behind its end. */
export function firstPage(file: string): Buffer {
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(PAGE_BYTES);
    readSync(fd, bytes, 0, PAGE_BYTES, 0);
    return bytes;
  } finally {
    closeSync(fd);
  }
}
