import { Buffer } from 'node:buffer';
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { isThere, isUnread } from '../disk-reads.ts';

const DEFAULT_PAGE_BYTES = 4096;
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** SQLite locks here and stores nothing. */
const PENDING_BYTE = 0x40000000;

/** Kinds of pages in a pointer map [sqlite.org/fileformat2.html#pointer_map_or_ptrmap_pages]. */
export const ROOT_PAGE = 1;
export const BTREE_PAGE = 5;

/** Whether what the disk does not give of a file is to count as zeros; asked whenever that happens. */
export type GiveUp = (file: string) => boolean;

/**
 * The pages of a database file as they are, without SQLite: of each the newest that was committed, from the write-ahead
 * log beside it or from the file itself. Page numbers begin at 1. A file that is not there has none.
 */
export class Pages {
  readonly #file: string;
  readonly #fd: number | undefined;
  readonly #giveUp: GiveUp;
  readonly #wal: Buffer;
  /** Where in the write-ahead log the newest version of a page stands. */
  readonly #inWal: ReadonlyMap<number, number>;
  readonly pageBytes = DEFAULT_PAGE_BYTES;
  readonly count: number;

  /** @throws what the disk says, unless that is given up */
  constructor(file: string, giveUp: GiveUp) {
    this.#file = file;
    this.#giveUp = giveUp;
    this.#wal = readIfThere(`${file}-wal`, giveUp);
    this.#inWal = committedFrames(this.#wal, this.pageBytes);
    const size = statSync(file, { throwIfNoEntry: false })?.size;
    this.#fd = size === undefined ? undefined : openSync(file, 'r');
    const inFile = Math.ceil((size ?? 0) / this.pageBytes);
    this.count = Math.max(inFile, ...this.#inWal.keys());
  }

  /** Zeros for what lies behind the end of the file. @throws what the disk says, unless that is given up */
  page(number: number): Buffer {
    const inWal = this.#inWal.get(number);
    if (inWal !== undefined) return this.#wal.subarray(inWal, inWal + this.pageBytes);
    const page = Buffer.alloc(this.pageBytes);
    const at = (number - 1) * this.pageBytes;
    if (this.#fd !== undefined) readInto(page, { file: this.#file, fd: this.#fd, at, giveUp: this.#giveUp });
    return page;
  }

  /** What the file's pointer map says of a page; kind 0 when it says nothing sensible. */
  pointerOf(number: number): { readonly kind: number; readonly parent: number } {
    const perMap = Math.floor(this.pageBytes / 5) + 1;
    let map = Math.floor((number - 2) / perMap) * perMap + 2;
    if (map === PENDING_BYTE / this.pageBytes + 1) map += 1;
    const at = 5 * (number - map - 1);
    if (number < 3 || at < 0) return { kind: 0, parent: 0 };
    const page = this.page(map);
    return { kind: page.readUInt8(at), parent: page.readUInt32BE(at + 1) };
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
  }
}

function readIfThere(file: string, giveUp: GiveUp): Buffer {
  if (!isThere(file)) return Buffer.alloc(0);
  try {
    return readFileSync(file);
  } catch (error) {
    if (!isUnread(error) || !giveUp(file)) throw error;
    return withOpen(file, (fd) => readByPages({ file, fd, giveUp }));
  }
}

interface Opened {
  readonly file: string;
  readonly fd: number;
  readonly giveUp: GiveUp;
}

function readByPages(opened: Opened): Buffer {
  const bytes = Buffer.alloc(statSync(opened.file).size);
  for (let at = 0; at < bytes.length; at += DEFAULT_PAGE_BYTES) {
    readInto(bytes.subarray(at, at + DEFAULT_PAGE_BYTES), { ...opened, at });
  }
  return bytes;
}

function readInto(bytes: Buffer, { file, fd, at, giveUp }: Opened & { readonly at: number }): void {
  try {
    readSync(fd, bytes, 0, bytes.length, at);
  } catch (error) {
    if (!isUnread(error) || !giveUp(file)) throw error;
    // The disk may have come back since, and what was open of it is stale then.
    readAnew(bytes, file, at);
  }
}

function readAnew(bytes: Buffer, file: string, at: number): void {
  withOpen(file, (fd) => {
    try {
      readSync(fd, bytes, 0, bytes.length, at);
    } catch (error) {
      if (!isUnread(error)) throw error;
    }
  });
}

function withOpen<T>(file: string, work: (fd: number) => T): T {
  const fd = openSync(file, 'r');
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}

/** Up to the last commit whose chain of checksums holds [sqlite.org/fileformat2.html#walformat]. */
function committedFrames(wal: Buffer, pageBytes: number): Map<number, number> {
  const committed = new Map<number, number>();
  const pending = new Map<number, number>();
  for (const { page, isCommit, isIntact, data } of frames(wal, pageBytes)) {
    if (!isIntact) break;
    pending.set(page, data);
    if (!isCommit) continue;
    for (const [number, offset] of pending) committed.set(number, offset);
    pending.clear();
  }
  return committed;
}

/**
 * Whether a write-ahead log has lost commits that were synced: behind the first frame that is damaged more than one commit
 * begins. The first of them may never have been synced; the next was only written after that.
 * @throws what the disk says when it does not give it
 */
export function hasLostCommits(walFile: string): boolean {
  let commits = 0;
  for (const { isIntact, isCommit } of frames(
    readIfThere(walFile, () => false),
    DEFAULT_PAGE_BYTES,
  )) {
    if (!isIntact && isCommit) commits += 1;
  }
  return commits > 1;
}

interface Frame {
  readonly page: number;
  readonly isCommit: boolean;
  /** It and all before it. */
  readonly isIntact: boolean;
  /** Where its page stands. */
  readonly data: number;
}

/** All that were written since the log was begun anew. */
function* frames(wal: Buffer, pageBytes: number): Generator<Frame> {
  if (wal.length < WAL_HEADER_BYTES || wal.readUInt32BE(8) !== pageBytes) return;
  const isBigEndian = (wal.readUInt32BE(0) & 1) === 1;
  let sums = checksum(wal.subarray(0, 24), [0, 0], isBigEndian);
  let isIntact = sums[0] === wal.readUInt32BE(24) && sums[1] === wal.readUInt32BE(28);
  const salts = wal.subarray(16, 24);
  for (let at = WAL_HEADER_BYTES; at + FRAME_HEADER_BYTES + pageBytes <= wal.length; ) {
    const data = at + FRAME_HEADER_BYTES;
    const isOfThisLog = wal.subarray(at + 8, at + 16).equals(salts);
    if (isOfThisLog && isIntact) {
      sums = checksum(wal.subarray(at, at + 8), sums, isBigEndian);
      sums = checksum(wal.subarray(data, data + pageBytes), sums, isBigEndian);
    }
    isIntact &&= isOfThisLog && sums[0] === wal.readUInt32BE(at + 16) && sums[1] === wal.readUInt32BE(at + 20);
    if (isOfThisLog) yield { page: wal.readUInt32BE(at), isCommit: wal.readUInt32BE(at + 4) > 0, isIntact, data };
    at = data + pageBytes;
  }
}

type Sums = readonly [number, number];

function checksum(bytes: Buffer, [first, second]: Sums, isBigEndian: boolean): Sums {
  let [s0, s1] = [first, second];
  for (let at = 0; at < bytes.length; at += 8) {
    const x0 = isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    const x1 = isBigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4);
    s0 = (s0 + x0 + s1) >>> 0;
    s1 = (s1 + x1 + s0) >>> 0;
  }
  return [s0, s1];
}
