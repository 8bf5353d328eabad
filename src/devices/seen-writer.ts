import { messageOf } from '../core/errors.ts';
import type { Seq } from '../core/record.ts';
import type { DeviceRow, StateStore } from '../core/state-store.ts';
import type { Logger } from '../platform/logger.ts';

export interface SeenWriterOptions {
  readonly state: StateStore;
  readonly logger: Logger;
  readonly intervalMs: number;
  readonly everyRecordCount: number;
  /** The device as it is now; undefined when it is gone. */
  rowOf(id: string): DeviceRow | undefined;
  /** Everything up to here is contained in the rows. */
  upTo(): Seq;
}

const MAX_CHUNK_ROWS = 100;
const MAX_CHUNK_CHARACTERS = 256 * 1024;
const STOP_DEADLINE_MS = 2_000;

/** Writes behind what was derived from the log: what a crash takes is derived again. */
export class SeenWriter {
  readonly #options: SeenWriterOptions;
  #changed = new Set<string>();
  #recordCount = 0;
  #savedUpTo: Seq = 0;
  #saving: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SeenWriterOptions) {
    this.#options = options;
  }

  start(savedUpTo: Seq): void {
    this.#savedUpTo = savedUpTo;
    this.#timer = setInterval(() => void this.save(), this.#options.intervalMs).unref();
  }

  changed(id: string): void {
    this.#changed.add(id);
    this.#recordCount += 1;
    if (this.#recordCount >= this.#options.everyRecordCount) void this.save();
  }

  /** One at a time; never rejects. What could not be saved is tried again next time. */
  save(): Promise<void> {
    this.#recordCount = 0;
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  /** Saves once more, unless the store does not answer. */
  async stop(): Promise<void> {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    const { promise: deadline, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, STOP_DEADLINE_MS);
    await Promise.race([this.save(), deadline]);
    clearTimeout(timer);
  }

  async #save(): Promise<void> {
    const changed = this.#changed;
    const upTo = this.#options.upTo();
    if (changed.size === 0 && upTo === this.#savedUpTo) return;
    this.#changed = new Set();
    try {
      await this.#saveInChunks(changed, upTo);
      this.#savedUpTo = upTo;
    } catch (error) {
      for (const id of changed) this.#changed.add(id);
      this.#options.logger.warn({ reason: messageOf(error) }, 'what is known of the devices could not be saved');
    }
  }

  /**
   * Only the last chunk moves the seq on: after a crash between two chunks the same records are derived again.
   * Rows are built as the call is made, so that a device removed meanwhile does not come back.
   */
  async #saveInChunks(ids: Iterable<string>, upTo: Seq): Promise<void> {
    let rows: DeviceRow[] = [];
    let characterCount = 0;
    for (const id of ids) {
      const row = this.#options.rowOf(id);
      if (row === undefined) continue;
      rows.push(row);
      characterCount += row.latest?.length ?? 0;
      if (rows.length < MAX_CHUNK_ROWS && characterCount < MAX_CHUNK_CHARACTERS) continue;
      await this.#options.state.saveSeen(rows, this.#savedUpTo);
      rows = [];
      characterCount = 0;
    }
    await this.#options.state.saveSeen(rows, upTo);
  }
}
