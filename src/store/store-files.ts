import { join } from 'node:path';
import { codeOf, SluiceError } from '../core/errors.ts';
import type { Seq } from '../core/record.ts';
import { randomMachineId } from '../platform/machine-id.ts';
import { END_IS_GONE, lacksEnd, openState } from './damage/good-copy.ts';
import { noteCarriedOver, openLog, type Roots } from './damage/open-log.ts';
import { hasLog } from './damage/set-aside.ts';
import { endThreadAsDamaged, markSuspect } from './damage/suspect.ts';
import { readErrorOf } from './disk-reads.ts';
import { DataDirLock } from './lock.ts';
import type { Log } from './log/log.ts';
import { SqliteLogReader } from './log/reader.ts';
import { STATE_NOTES } from './notes.ts';
import type { StoreOptions } from './protocol.ts';
import { Reserve } from './reserve.ts';
import type { State } from './state/state.ts';
import type { StoreClock } from './store-clock.ts';

const MIN_WAL_BYTES = 256 * 1024;
const MAX_WAL_BYTES = 4 * 1024 * 1024;
/** What is kept for people must leave a small buffer room for records. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

/** What is open. */
export interface OpenFiles {
  readonly names: ReturnType<typeof namesIn>;
  readonly walBytes: number;
  readonly reserve: Reserve;
  readonly state: State;
  readonly log: Log;
  readonly reader: SqliteLogReader;
  /** What was damaged and what was done about it, in words. */
  readonly repairs: readonly string[];
  /** Where the records of a damaged log stand, while not all of them are put back. */
  readonly toSalvage: Roots | null;
  readonly machineId: string;
  /** No record of an earlier life has this seq or a higher one. */
  readonly firstSeq: Seq;
}

/** What is open of a start that has not come to its end. */
interface Unfinished {
  state?: State;
  log?: Log;
}

/** Both files of a data directory, open, whole as far as that is possible, and ours alone. */
export class StoreFiles {
  readonly opened: OpenFiles;
  readonly #lock: DataDirLock;

  private constructor(lock: DataDirLock, opened: OpenFiles) {
    this.#lock = lock;
    this.opened = opened;
  }

  /** @throws SluiceError `locked`, `data_dir_unusable`, `store_damaged`, `store_unreadable`, `store_too_new`, `store_unusable` */
  static open(options: StoreOptions, clock: StoreClock): StoreFiles {
    const lock = new DataDirLock(options.dataDir);
    const opened: Unfinished = {};
    try {
      return new StoreFiles(lock, openAll(options, clock, opened));
    } catch (error) {
      closeUnfinished(namesIn(options).log, opened);
      lock.release();
      throw codeOf(error)?.startsWith('SQLITE_READONLY') === true ? unwritable(options, error) : error;
    }
  }

  /** `state.db` first: it gives the log its seqs. */
  reopen(): void {
    this.opened.state.reopen();
    this.opened.log.reopen();
  }

  /** Why they cannot be read at all, or undefined. Only to be asked when there seems to be damage. */
  readError(): unknown {
    const { names } = this.opened;
    return [names.state, names.log].map(readErrorOf).find((error) => error !== undefined);
  }

  /** The next start replaces the log. */
  suspect(): void {
    markSuspect(this.opened.names.log);
  }

  /** `closed`: the log is; what it ended with may be noted. */
  close(closed: () => void): void {
    const { reader, log, state } = this.opened;
    reader.close();
    log.close();
    closed();
    state.close();
    this.#lock.release();
  }

  /** For a start that comes to no end. */
  abandon(): void {
    this.opened.reader.close();
    closeUnfinished(this.opened.names.log, this.opened);
    this.#lock.release();
  }
}

export function namesIn({ dataDir }: Pick<StoreOptions, 'dataDir'>) {
  return { log: join(dataDir, 'log.db'), state: join(dataDir, 'state.db') };
}

function unwritable({ dataDir }: Pick<StoreOptions, 'dataDir'>, cause: unknown): SluiceError {
  return new SluiceError(`the store in ${dataDir} cannot be written to`, {
    code: 'data_dir_unusable',
    hint: `all files there must belong to the user that this runs as, on a disk that is not read-only: ls -ln ${dataDir}`,
    cause,
  });
}

function closeUnfinished(logFile: string, { state, log }: Unfinished): void {
  log?.abandon();
  if (log !== undefined && state !== undefined) noteCarriedOver(logFile, state);
  state?.close();
}

function walBytesOf({ maxBytes }: StoreOptions): number {
  return Math.min(MAX_WAL_BYTES, Math.max(MIN_WAL_BYTES, maxBytes / 16));
}

/** `opened`: gets each file as soon as it is open. */
function openAll(options: StoreOptions, clock: StoreClock, opened: Unfinished): OpenFiles {
  const names = namesIn(options);
  const walBytes = walBytesOf(options);
  // A full write-ahead log is carried over, and meanwhile another one is written.
  const reserve = new Reserve({ dataDir: options.dataDir, bytes: 2 * walBytes });
  reserve.releaseIfScarce();
  const { state, repairs } = openState(names.state, hasLog(names.log));
  opened.state = state;
  const machineId = options.machineId ?? state.remember(STATE_NOTES.machineId, randomMachineId());
  const keptBytes = Math.min(MAX_KEPT_BYTES, options.maxBytes / 16);
  const idempotency = { ...options.idempotency, maxBytes: keptBytes };
  const of = { file: names.log, machineId, walBytes, keptBytes, idempotency };
  const { log, repair, toSalvage, firstSeq } = openLog({ ...options, ...of, clock, seqs: state, skips: state }, state);
  opened.log = log;
  const reader = new SqliteLogReader(names.log, endThreadAsDamaged(names.log));
  const ofState = repairs.length === 0 && lacksEnd(state, log) ? [`${names.state}: ${END_IS_GONE}`] : repairs;
  const allRepairs = [...ofState, ...(repair === null ? [] : [repair])];
  return { names, walBytes, reserve, state, log, reader, repairs: allRepairs, toSalvage, machineId, firstSeq };
}
