import { Buffer } from 'node:buffer';
import type { Seq } from '../../core/record.ts';
import { isIntact } from '../../core/record-codec.ts';
import type { Stream } from '../../core/stream.ts';
import type { FoundRecord } from '../log/recovery.ts';
import { BTREE_PAGE, type Pages, ROOT_PAGE } from './pages.ts';

const TABLE_LEAF = 0x0d;
const MAX_DEPTH = 20;

/**
 * Finds records in the leaf pages of a damaged log, page by page, without the interior pages above them: one of those that
 * is damaged hides everything behind it from SQLite. To which table a page belongs is known from the pointer map, which
 * leads from each page to the one above. Only what passes its own checksum is found.
 */
export class LeafScan {
  readonly #pages: Pages;
  readonly #streams: ReadonlyMap<number, Stream>;
  #next = 1;

  /** `roots`: the first page of each stream's table. */
  constructor(pages: Pages, roots: Readonly<Partial<Record<Stream, number>>>) {
    this.#pages = pages;
    this.#streams = new Map(Object.entries(roots).map(([stream, page]) => [page, stream as Stream]));
  }

  /** The part that was looked at, from 0 to 1. */
  get progress(): number {
    return Math.min(1, (this.#next - 1) / Math.max(1, this.#pages.count));
  }

  get isDone(): boolean {
    return this.#next > this.#pages.count;
  }

  /** What stands in the next so many pages; the same ones again when one of them could not be read. */
  step(pageCount: number): FoundRecord[] {
    const end = Math.min(this.#next + pageCount, this.#pages.count + 1);
    const found: FoundRecord[] = [];
    for (let page = this.#next; page < end; page += 1) found.push(...this.#inPage(page));
    this.#next = end;
    return found;
  }

  #inPage(number: number): FoundRecord[] {
    const page = this.#pages.page(number);
    if (page[0] !== TABLE_LEAF) return [];
    const stream = this.#streamOf(number);
    if (stream === undefined) return [];
    const cellCount = Math.min(page.readUInt16BE(3), (page.length - 8) / 2);
    const found: FoundRecord[] = [];
    for (let cell = 0; cell < cellCount; cell += 1) {
      const record = this.#inCell(page, page.readUInt16BE(8 + 2 * cell));
      if (record !== undefined) found.push({ stream, ...record });
    }
    return found;
  }

  #streamOf(number: number): Stream | undefined {
    let page = number;
    for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
      const stream = this.#streams.get(page);
      if (stream !== undefined) return stream;
      const { kind, parent } = this.#pages.pointerOf(page);
      if (kind === ROOT_PAGE || kind !== BTREE_PAGE) return undefined;
      page = parent;
    }
    return undefined;
  }

  /** undefined for what is no intact record. A damaged cell may say anything of its size. */
  #inCell(page: Buffer, at: number): { seq: Seq; body: Buffer } | undefined {
    try {
      const length = readVarint(page, at);
      const seq = readVarint(page, length.end);
      const payload = this.#payload(page, seq.end, length.value);
      if (payload === undefined) return undefined;
      const header = readVarint(payload, 0);
      const body = payload.subarray(header.value);
      return isIntact(body, seq.value) ? { seq: seq.value, body } : undefined;
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Collects what does not fit on the page from its chain of overflow pages. */
  #payload(page: Buffer, at: number, length: number): Buffer | undefined {
    const usable = page.length;
    const most = usable - 35;
    if (length <= most) return at + length <= usable ? page.subarray(at, at + length) : undefined;
    if (length > this.#pages.count * usable) return undefined;
    const least = Math.floor(((usable - 12) * 32) / 255) - 23;
    const wanted = least + ((length - least) % (usable - 4));
    const local = wanted <= most ? wanted : least;
    const parts = [page.subarray(at, at + local)];
    let next = page.readUInt32BE(at + local);
    for (let missing = length - local; missing > 0; missing -= usable - 4) {
      if (next < 2 || next > this.#pages.count) return undefined;
      const overflow = this.#pages.page(next);
      parts.push(overflow.subarray(4, 4 + Math.min(missing, usable - 4)));
      next = overflow.readUInt32BE(0);
    }
    return Buffer.concat(parts);
  }
}

/** Up to nine bytes, the highest first [sqlite.org/fileformat2.html#varint]. */
function readVarint(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let index = 0; index < 8; index += 1) {
    const byte = bytes.readUInt8(at + index);
    value = value * 128 + (byte & 127);
    if (byte < 128) return { value, end: at + index + 1 };
  }
  return { value: value * 256 + bytes.readUInt8(at + 8), end: at + 9 };
}
