import { Buffer } from 'node:buffer';
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, SluiceError } from '../../core/errors.ts';
import type { LaneId } from '../../core/lane-log.ts';
import type { Seq, StoredRecord } from '../../core/record.ts';
import type { Outcome, SendOptions, Upstream } from '../../core/upstream.ts';
import { bounded } from '../bounded.ts';
import type { CloudEvents } from '../cloud-event.ts';
import { cloudEventJson } from '../cloud-event-json.ts';
import { fileError } from './file-errors.ts';
import { LaneFile, syncDirectory } from './lane-file.ts';

const LINE_FEED = Buffer.from('\n');
/** A disk that does not answer for so long is treated as gone. */
const OPEN_TIMEOUT_MS = 10_000;
const NEVER = new AbortController().signal;

export interface FileUpstreamOptions {
  /** Made when its parent exists; a folder for this gateway is made within. */
  readonly directory: string;
  readonly gatewayId: string;
  readonly epoch: string;
  readonly rotateBytes: number;
  readonly events: CloudEvents;
}

/** Newline-delimited CloudEvents JSON. A record is delivered when its line is safely on the disk. */
export class FileUpstream implements Upstream {
  readonly #options: FileUpstreamOptions;
  readonly #folder: string;
  /** By what their names begin with. */
  readonly #files = new Map<string, LaneFile>();
  /** Files given up after a fault; the disk may still be writing to them. */
  readonly #closing = new Map<string, Promise<void>>();
  #wasMounted = false;
  #isOpen = false;

  constructor(options: FileUpstreamOptions) {
    this.#options = options;
    this.#folder = join(options.directory, folderName(options.gatewayId));
  }

  async open(signal: AbortSignal): Promise<void> {
    if (this.#isOpen) return;
    try {
      await bounded('opening the directory', this.#makeFolder(), { deadlineMs: OPEN_TIMEOUT_MS, signal });
      this.#isOpen = true;
    } catch (error) {
      throw fileError(this.#folder, error);
    }
  }

  async position(lane: LaneId): Promise<Seq | undefined> {
    try {
      return (await this.#file(lane)).lastSeq;
    } catch (error) {
      this.#abandon(this.#prefixOf(lane));
      throw fileError(this.#folder, error);
    }
  }

  async send(lane: LaneId, after: Seq, records: readonly StoredRecord[], options: SendOptions): Promise<Outcome> {
    try {
      const file = await this.#file(lane);
      const first = records[0]?.seq ?? after;
      const last = records.at(-1)?.seq ?? after;
      await bounded('writing', file.append(first, last, this.#lines(lane, records)), options);
      return { upTo: last, rejected: [], error: null };
    } catch (error) {
      this.#abandon(this.#prefixOf(lane));
      return { upTo: after, rejected: [], error: fileError(this.#folder, error) };
    }
  }

  bytesOf(lane: LaneId, record: StoredRecord): number {
    return this.#lines(lane, [record]).byteLength;
  }

  finish(lane: LaneId): void {
    const prefix = this.#prefixOf(lane);
    this.#close(prefix);
    void this.#closing.get(prefix)?.then(() => this.#closing.delete(prefix));
  }

  async probe(signal: AbortSignal): Promise<void> {
    if (!this.#isOpen) throw notOpen();
    const look = async (): Promise<void> => {
      await this.#checkMount();
      await access(this.#folder, constants.W_OK);
    };
    try {
      await bounded('looking at the directory', look(), { deadlineMs: OPEN_TIMEOUT_MS, signal });
    } catch (error) {
      this.#abandonAll();
      throw fileError(this.#folder, error);
    }
  }

  async close({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    this.#abandonAll();
    const closed = Promise.all(this.#closing.values());
    await bounded('closing', closed, { deadlineMs, signal: NEVER }).catch(() => undefined);
  }

  #lines({ range }: LaneId, records: readonly StoredRecord[]): Buffer {
    const { events } = this.#options;
    const options = { channel: false, lane: range?.kind };
    return Buffer.concat(records.flatMap((record) => [cloudEventJson(events, record, options), LINE_FEED]));
  }

  /** In each file seqs only grow, so a range has files of its own. */
  #prefixOf({ stream, range }: LaneId): string {
    const part = range === undefined ? '' : `${range.kind}-${range.id}-`;
    return `${stream}-${part}${this.#options.epoch}-`;
  }

  async #file(lane: LaneId): Promise<LaneFile> {
    if (!this.#isOpen) throw notOpen();
    const prefix = this.#prefixOf(lane);
    const open = this.#files.get(prefix);
    if (open !== undefined) return open;
    const { events, rotateBytes } = this.#options;
    const file = new LaneFile({ directory: this.#folder, prefix, idPrefix: events.idPrefix, rotateBytes });
    const bounds = { deadlineMs: OPEN_TIMEOUT_MS, signal: NEVER };
    await bounded('ending what was begun', this.#closing.get(prefix) ?? Promise.resolve(), bounds);
    this.#files.set(prefix, file);
    await bounded('reading the newest file', file.recover(), bounds);
    return file;
  }

  #abandonAll(): void {
    for (const prefix of [...this.#files.keys()]) this.#abandon(prefix);
    this.#isOpen = false;
  }

  /** What is on the disk is not known any more: it is looked at again before the next line. */
  #abandon(prefix: string): void {
    this.#isOpen = false;
    this.#close(prefix);
  }

  #close(prefix: string): void {
    const file = this.#files.get(prefix);
    if (file === undefined) return;
    this.#files.delete(prefix);
    const closing = file.close().catch(() => undefined);
    this.#closing.set(prefix, closing);
  }

  async #makeFolder(): Promise<void> {
    await this.#checkMount();
    await makeDirectory(this.#options.directory);
    await makeDirectory(this.#folder);
  }

  /** A directory that is no mount point any more belongs to the disk below, which must not fill up instead. */
  async #checkMount(): Promise<void> {
    const { directory } = this.#options;
    const isMounted = (await deviceOf(directory)) !== (await deviceOf('/'));
    if (this.#wasMounted && !isMounted) {
      throw new SluiceError(`nothing is mounted at ${directory} any more`, {
        code: 'file_not_mounted',
        retryable: true,
        hint: 'put the disk or stick back; forwarding goes on by itself',
      });
    }
    this.#wasMounted = isMounted;
  }
}

function notOpen(): SluiceError {
  return new SluiceError('the uplink is not open', { code: 'not_open', retryable: true });
}

/** Of the directory itself, or of the one in which it would be made. */
async function deviceOf(directory: string): Promise<number> {
  try {
    return (await stat(directory)).dev;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return (await stat(dirname(directory))).dev;
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path);
    await syncDirectory(dirname(path));
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/** A gateway's id may be two dots. */
function folderName(gatewayId: string): string {
  const name = gatewayId.replaceAll(/[^A-Za-z0-9._-]/g, '_');
  return /^\.+$/.test(name) ? '_' : name;
}
