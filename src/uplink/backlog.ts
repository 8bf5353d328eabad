import { messageOf } from '../core/errors.ts';
import type { LaneLog, LaneRange } from '../core/lane-log.ts';
import type { Stream } from '../core/stream.ts';
import type { Logger } from '../platform/logger.ts';
import { pause } from './bounded.ts';
import type { Lane, Run } from './lane.ts';

/** A store that cannot answer brings the process down by itself; until then it is asked so often. */
const RETRY_MS = 1_000;

export interface BacklogParts {
  readonly uplink: string;
  readonly stream: Stream;
  readonly laneLog: LaneLog;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  readonly laneOf: (range: LaneRange) => Lane;
}

/** What is sent beside one lane: its ranges, one at a time, backfills first, the oldest first. */
export class Backlog {
  readonly #parts: BacklogParts;
  #wake = Promise.withResolvers<void>();

  constructor(parts: BacklogParts) {
    this.#parts = parts;
  }

  /** There may be a range that was not there before. */
  look(): void {
    this.#wake.resolve();
  }

  /** Resolves when the run ends, with nothing left in flight. Never rejects. */
  async run(run: Run): Promise<void> {
    while (!run.ending.aborted) {
      this.#wake = Promise.withResolvers<void>();
      const next = await this.#next();
      if (next !== undefined) await this.#feed(next, run);
      else await this.#rest(run.ending);
    }
  }

  async #next(): Promise<LaneRange | undefined> {
    const { laneLog, uplink, stream, logger } = this.#parts;
    try {
      return (await laneLog.ranges(uplink)).find(({ lane }) => lane.stream === stream);
    } catch (error) {
      logger.warn({ reason: messageOf(error) }, 'the store does not say what is left to send');
      setTimeout(() => this.look(), RETRY_MS).unref();
      return undefined;
    }
  }

  async #feed(range: LaneRange, run: Run): Promise<void> {
    const { logger, laneOf } = this.#parts;
    const { stream, range: id } = range.lane;
    const fields = { stream, kind: id?.kind, id: id?.id };
    logger.info({ ...fields, upTo: range.upTo }, 'begins to send beside the lane');
    const lane = laneOf(range);
    const [overtaken, ended] = [new AbortController(), new AbortController()];
    const watch = id?.kind === 'replay' ? this.#watchForBackfill(overtaken, ended.signal) : undefined;
    await lane.run({ ...run, ending: AbortSignal.any([run.ending, overtaken.signal]) });
    ended.abort();
    await watch;
    if (run.ending.aborted) return;
    if (overtaken.signal.aborted) lane.waitForTurn();
    logger.info(fields, overtaken.signal.aborted ? 'waits for a backfill' : 'has sent what there was beside the lane');
  }

  /** A replay may take hours: the backfill of an outage in the midst of it goes first. */
  async #watchForBackfill(overtaken: AbortController, ended: AbortSignal): Promise<void> {
    while (!ended.aborted && !overtaken.signal.aborted) {
      await this.#rest(ended);
      this.#wake = Promise.withResolvers<void>();
      if ((await this.#next())?.lane.range?.kind === 'backfill') overtaken.abort();
    }
  }

  async #rest(ending: AbortSignal): Promise<void> {
    const woken = new AbortController();
    void this.#wake.promise.then(() => woken.abort());
    await pause(2 ** 30, AbortSignal.any([ending, woken.signal]));
  }
}
