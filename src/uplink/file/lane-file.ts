import type { Buffer } from 'node:buffer';
import { type FileHandle, open, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, SluiceError } from '../../core/errors.ts';
import type { Seq } from '../../core/record.ts';
import { seqDigits } from '../cloud-event.ts';
import { seqOfCloudEventJson } from '../cloud-event-json.ts';
import { findLastLine } from './last-line.ts';

export interface LaneFileOptions {
  readonly directory: string;
  /** `{stream}-{epoch}-`: what the names of this lane's files begin with. */
  readonly prefix: string;
  /** What the ids of its events begin with. */
  readonly idPrefix: string;
  readonly rotateBytes: number;
}

interface Current {
  readonly path: string;
  readonly handle: FileHandle;
  bytes: number;
}

/**
 * The files of one lane, `{stream}-{epoch}-{first seq}.ndjson`, of which the newest grows. One call at a time. After
 * an error only `close` may follow: a new one finds out what is on the disk.
 */
export class LaneFile {
  readonly #options: LaneFileOptions;
  #busy: Promise<void> = Promise.resolve();
  #current: Current | undefined;
  #lastSeq: Seq | undefined;

  constructor(options: LaneFileOptions) {
    this.#options = options;
  }

  /** Seq of the last line that is safely on the disk; undefined when there is none. */
  get lastSeq(): Seq | undefined {
    return this.#lastSeq;
  }

  /** Takes up the newest file: what a crash tore off at its end is cut away, the rest is made safe. */
  recover(): Promise<void> {
    return this.#begin(this.#recover());
  }

  /** Resolves when the lines are safely on the disk, all in the same file. */
  append(firstSeq: Seq, lastSeq: Seq, lines: Buffer): Promise<void> {
    return this.#begin(this.#append(firstSeq, lastSeq, lines));
  }

  /** Resolves when nothing is written any more, so late when the disk does not answer. */
  async close(): Promise<void> {
    await this.#busy;
    const current = this.#current;
    this.#current = undefined;
    await current?.handle.close();
  }

  #begin(work: Promise<void>): Promise<void> {
    this.#busy = work.catch(() => undefined);
    return work;
  }

  async #recover(): Promise<void> {
    for (const name of await this.#names()) {
      const path = join(this.#options.directory, name);
      const handle = await open(path, 'r+');
      const { size } = await handle.stat();
      const last = await findLastLine(handle, size, (line) => seqOfCloudEventJson(line, this.#options.idPrefix));
      if (last === undefined) {
        await handle.close();
        await rename(path, `${path}.torn`);
        continue;
      }
      this.#current = { path, handle, bytes: last.end };
      if (last.end < size) await handle.truncate(last.end);
      await handle.sync();
      this.#lastSeq = last.seq;
      break;
    }
    await syncDirectory(this.#options.directory);
  }

  async #append(firstSeq: Seq, lastSeq: Seq, lines: Buffer): Promise<void> {
    const current = await this.#room(firstSeq, lines.byteLength);
    let written = 0;
    while (written < lines.byteLength) {
      const { bytesWritten } = await current.handle.write(lines, written, lines.byteLength - written, current.bytes);
      written += bytesWritten;
      current.bytes += bytesWritten;
    }
    await current.handle.sync();
    // Somebody may have taken it away meanwhile: what nobody can open any more was delivered to nobody.
    if (!(await isInPlace(current))) throw takenAway(current.path);
    this.#lastSeq = lastSeq;
  }

  async #room(firstSeq: Seq, bytes: number): Promise<Current> {
    const { directory, prefix, rotateBytes } = this.#options;
    const current = this.#current;
    if (current !== undefined && current.bytes + bytes <= rotateBytes && (await isInPlace(current))) return current;
    this.#current = undefined;
    await current?.handle.close();
    // `x`: a file that `recover` did not find must not be there.
    const path = join(directory, `${prefix}${seqDigits(firstSeq)}.ndjson`);
    const handle = await open(path, 'wx');
    this.#current = { path, handle, bytes: 0 };
    await syncDirectory(directory);
    return this.#current;
  }

  /** Newest first. */
  async #names(): Promise<string[]> {
    const { directory, prefix } = this.#options;
    const names = await readdir(directory);
    const isOurs = (name: string): boolean =>
      name.startsWith(prefix) && /^\d{20}\.ndjson$/.test(name.slice(prefix.length));
    return names.filter(isOurs).sort().reverse();
  }
}

/** Whether the file that is written is still the one of its name. */
async function isInPlace({ path, handle }: Current): Promise<boolean> {
  try {
    const [ours, found] = await Promise.all([handle.stat(), stat(path)]);
    return ours.ino === found.ino && ours.dev === found.dev;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function takenAway(path: string): SluiceError {
  return new SluiceError(`${path} was taken away while it was written`, {
    code: 'file_taken_away',
    retryable: true,
    hint: 'take away files that are complete; forwarding goes on by itself in a new one',
  });
}

/** A new name in the directory survives a power cut only then. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } catch (error) {
    // Some file systems of sticks know no such thing.
    if (codeOf(error) !== 'EINVAL' && codeOf(error) !== 'ENOTSUP') throw error;
  } finally {
    await handle.close();
  }
}
