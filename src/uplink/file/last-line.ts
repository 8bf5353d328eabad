import { Buffer } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import type { Seq } from '../../core/record.ts';

const WINDOW_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/** The last whole line of a file. */
export interface LastLine {
  readonly seq: Seq;
  /** Offset behind its line feed. */
  readonly end: number;
}

/**
 * Finds the last line that ends with a line feed and that `seqOf` knows, from the end backwards: what a crash left
 * behind it is torn. Undefined when there is none.
 */
export async function findLastLine(
  file: FileHandle,
  size: number,
  seqOf: (line: Buffer) => Seq | undefined,
): Promise<LastLine | undefined> {
  let end = size;
  for (let windowBytes = WINDOW_BYTES; end > 0; windowBytes *= 2) {
    const start = Math.max(0, end - windowBytes);
    const bytes = await readAll(file, start, end);
    const found = lastIn(bytes, start === 0, seqOf);
    if (found.line !== undefined) return { seq: found.line.seq, end: start + found.line.end };
    if (start === 0) return undefined;
    // Lines behind it were looked at, and are none of ours.
    end = start + found.unreadEnd;
  }
  return undefined;
}

interface Search {
  readonly line: LastLine | undefined;
  /** Offset behind the part that begins in the middle of a line. */
  readonly unreadEnd: number;
}

function lastIn(bytes: Buffer, isWhole: boolean, seqOf: (line: Buffer) => Seq | undefined): Search {
  let end = bytes.lastIndexOf(LINE_FEED);
  while (end >= 0) {
    const before = end === 0 ? -1 : bytes.lastIndexOf(LINE_FEED, end - 1);
    if (before < 0 && !isWhole) return { line: undefined, unreadEnd: end + 1 };
    const seq = seqOf(bytes.subarray(before + 1, end));
    if (seq !== undefined) return { line: { seq, end: end + 1 }, unreadEnd: 0 };
    end = before;
  }
  return { line: undefined, unreadEnd: isWhole ? 0 : bytes.byteLength };
}

async function readAll(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.alloc(end - start);
  let filled = 0;
  while (filled < bytes.byteLength) {
    const { bytesRead } = await file.read(bytes, filled, bytes.byteLength - filled, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
