import type { LogReader } from '../../core/lane-log.ts';
import type { Seq } from '../../core/record.ts';
import { STREAMS } from '../../core/stream.ts';

/** Once a second: about 5 ms of work. */
const STEP = { maxRecords: 1_000, maxBytes: 1024 * 1024 };

/**
 * Reads the whole log once after each start, a little at a time: damage in what nobody reads is found before it is needed.
 * The reader ends the process when it cannot go on, and the next start repairs.
 */
export class BackgroundCheck {
  readonly #reader: LogReader;
  readonly #streams = STREAMS.values();
  #stream = this.#streams.next().value;
  #after: Seq = 0;

  constructor(reader: LogReader) {
    this.#reader = reader;
  }

  step(): void {
    if (this.#stream === undefined) return;
    const { upTo } = this.#reader.read(this.#stream, this.#after, STEP);
    if (upTo === this.#after) {
      this.#stream = this.#streams.next().value;
      this.#after = 0;
    } else this.#after = upTo;
  }
}
