import { codeOf, type SluiceError } from '../core/errors.ts';
import type { LogStats, Salvaged } from '../core/log-stats.ts';
import type { Place } from '../core/session.ts';
import { threadBytes } from '../platform/disk-writes.ts';
import { defaultGatewayId, randomInstanceId } from '../platform/machine-id.ts';
import { BackgroundCheck } from './damage/background-check.ts';
import { GoodCopy } from './damage/good-copy.ts';
import { noteLogClosed, noteLogGrown } from './damage/open-log.ts';
import { Salvage } from './damage/salvage.ts';
import { SetAside } from './damage/set-aside.ts';
import { markSuspect } from './damage/suspect.ts';
import { type Believe, isUnread, lookTwice, unreadable } from './disk-reads.ts';
import { diskFaultOf, isDamage } from './file-errors.ts';
import { GroupCommit } from './group-commit.ts';
import { Limits } from './limits.ts';
import type { Log } from './log/log.ts';
import type { SqliteLogReader } from './log/reader.ts';
import { STATE_NOTES } from './notes.ts';
import { Outage } from './outage.ts';
import type { StoreOpened, StoreOptions } from './protocol.ts';
import { RetainedWriter } from './retained-writer.ts';
import type { State } from './state/state.ts';
import type { StoreClock } from './store-clock.ts';
import { namesIn, StoreFiles } from './store-files.ts';
import { UntakenReporter } from './untaken-reporter.ts';

const TICK_MS = 1_000;

export interface StoreParts {
  readonly files: StoreFiles;
  readonly options: StoreOptions;
  readonly clock: StoreClock;
  readonly onCommit: (durationMs: number) => void;
}

/** Both files with everything that works on them; lives on the store worker. */
export class Store {
  readonly #files: StoreFiles;
  readonly #options: StoreOptions;
  readonly #aside: SetAside;
  readonly #limits: Limits;
  readonly #retained: RetainedWriter;
  readonly #untaken: UntakenReporter;
  readonly commits: GroupCommit;
  /** When the disk takes no writes. */
  readonly outage: Outage;
  readonly #copy: GoodCopy;
  readonly #check: BackgroundCheck;
  readonly #salvage: Salvage | null;
  #ticker: NodeJS.Timeout | undefined;
  #opened: StoreOpened | undefined;
  #isGrown = false;
  #lastStats: LogStats | undefined;

  private constructor({ files, options, clock, onCommit }: StoreParts) {
    const { log, state, reader, reserve, walBytes, names, toSalvage } = files.opened;
    this.#files = files;
    this.#options = options;
    this.outage = new Outage({
      reserve,
      reopen: () => files.reopen(),
      readError: () => files.readError(),
      onDamage: () => files.suspect(),
      retry: () => this.commits.tick(),
    });
    this.#copy = new GoodCopy(state, names.state);
    const hasRoom = () => options.whenFull === 'block' || this.#limits.freeBytes() >= 2 * walBytes;
    this.#salvage = toSalvage === null ? null : new Salvage({ log, file: names.log, roots: toSalvage, hasRoom });
    this.#check = new BackgroundCheck(reader);
    this.#retained = new RetainedWriter(log, state);
    this.#untaken = new UntakenReporter(log, clock);
    this.#aside = new SetAside([names.log, names.state]);
    this.#limits = new Limits(log, { ...options, walBytes, aside: this.#aside }, clock);
    this.commits = new GroupCommit(log, this.#limits, {
      commitIntervalMs: options.commitIntervalMs,
      outage: this.outage,
      onCommit: (durationMs) => {
        this.#noteGrown();
        onCommit(durationMs);
      },
    });
  }

  /** Damage that is found on the way, twice, is known to the last attempt. @throws SluiceError as `StoreFiles.open` */
  static open(...how: Parameters<typeof Store.openOnce>): Store {
    const { log, state } = namesIn(how[0]);
    try {
      return lookTwice([log, `${log}-wal`, state, `${state}-wal`], (believe) => Store.#openOrReplace(how, believe));
    } catch (error) {
      throw isUnread(error) ? unreadable(`what is in ${how[0].dataDir}`, error) : error;
    }
  }

  static #openOrReplace(how: Parameters<typeof Store.openOnce>, believe: Believe): Store {
    try {
      return Store.openOnce(...how);
    } catch (error) {
      if (!isDamage(error)) throw error;
      believe(error);
      markSuspect(namesIn(how[0]).log);
      return Store.openOnce(...how);
    }
  }

  private static openOnce(options: StoreOptions, clock: StoreClock, onCommit: (durationMs: number) => void): Store {
    const store = new Store({ files: StoreFiles.open(options, clock), options, clock, onCommit });
    store.#start();
    return store;
  }

  get opened(): StoreOpened {
    if (this.#opened === undefined) throw new Error('the store is not open');
    return this.#opened;
  }

  get state(): State {
    return this.#files.opened.state;
  }

  get log(): Log {
    return this.#files.opened.log;
  }

  /** Calls back when no record of a damaged log will be put back any more: what was older is older again. Null when none was. */
  whenSalvaged(work: (salvaged: Salvaged | null) => void): void {
    if (this.#salvage === null) work(null);
    else this.#salvage.whenEnded(work);
  }

  get reader(): SqliteLogReader {
    return this.#files.opened.reader;
  }

  /** Of everything that the MQTT broker keeps. */
  lastPlace(): Place {
    return Math.max(this.log.queues.lastPlace(), this.state.sessions.lastPlace());
  }

  /** While the disk cannot even be read: the last ones, with why. */
  stats(): LogStats {
    try {
      this.#lastStats = this.#stats();
      return this.#lastStats;
    } catch (error) {
      if (this.#lastStats === undefined || (diskFaultOf(error) === undefined && !isDamage(error))) throw error;
      this.outage.begin(error);
      return { ...this.#lastStats, full: this.commits.full };
    }
  }

  close(): void {
    clearInterval(this.#ticker);
    this.commits.close();
    this.outage.close();
    this.#salvage?.close();
    this.#files.close(() => {
      noteLogClosed(this.state, this.log);
      this.#copy.finish();
    });
  }

  #start(): void {
    try {
      const keptRepairs = this.#recoverKept();
      this.outage.takeReserve();
      this.#opened = this.#found(keptRepairs);
      this.#copyState();
      this.#salvage?.whenEnded(() => this.#carryRetained());
      this.#salvage?.start(this.commits);
    } catch (error) {
      this.outage.close();
      this.#salvage?.close();
      this.#files.abandon();
      throw error;
    }
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  #found(keptRepairs: readonly string[]): StoreOpened {
    const { gatewayId, hostName } = this.#options;
    const { machineId, firstSeq, names, repairs } = this.#files.opened;
    return {
      gatewayId: gatewayId ?? this.state.remember(STATE_NOTES.gatewayId, defaultGatewayId(hostName, machineId)),
      instanceId: this.state.remember(`instance_id:${machineId}`, randomInstanceId()),
      epoch: this.log.epoch,
      firstSeq,
      openHandshakes: this.log.openHandshakes(),
      logFile: names.log,
      repairs: [...repairs, ...keptRepairs],
    };
  }

  #stats(): LogStats {
    return {
      ...this.log.stats(),
      bytes: this.log.space.usedBytes() + this.log.space.walBytes(),
      maxBytes: this.#options.maxBytes,
      room: this.#limits.room,
      freeBytes: this.#limits.freeBytes(),
      keepFreeBytes: this.#options.keepFreeBytes,
      maxAgeMs: this.#options.maxAgeMs,
      writtenBytes: threadBytes(),
      salvaged: this.#salvage?.progress ?? null,
      setAsideBytes: this.#aside.bytes,
      salvageStuck: this.#salvage?.stuck ?? null,
      full: this.commits.full,
    };
  }

  /**
   * Makes both files agree again, and gives up what is damaged; returns that, for people. On a full disk the next start does
   * it; what is too much does no harm.
   */
  #recoverKept(): readonly string[] {
    let lost = 0;
    try {
      this.log.transaction(() => {
        lost = this.log.queues.giveUpDamaged();
      });
      this.#retained.catchUp();
      this.log.transaction(() => this.log.queues.keepOnly(new Set(this.state.sessions.ids())));
    } catch (error) {
      this.outage.begin(error);
    }
    return lost === 0 ? [] : [`${lost} messages for MQTT sessions, or retained ones, are damaged and not sent`];
  }

  /** Before anybody is told that all is put back. */
  #carryRetained(): void {
    try {
      this.#retained.catchUp();
    } catch (error) {
      this.outage.begin(error);
    }
  }

  /** Once: another write-ahead log in the place of this one shows by what it lacks. */
  #noteGrown(): void {
    if (this.#isGrown || this.log.newestSeq() < this.#files.opened.firstSeq) return;
    try {
      noteLogGrown(this.state, this.log);
      this.#isGrown = true;
    } catch (error) {
      this.outage.begin(error);
    }
  }

  #tick(): void {
    this.commits.tick();
    if (!this.outage.isTotal) this.#keepCopy();
    if (this.outage.isTotal) return;
    try {
      this.#check.step();
      this.#retained.step(this.commits);
      this.#untaken.step(this.commits);
      // With `relaxed` a commit reaches the disk at the next checkpoint: at most this much later.
      if (this.#options.durability === 'relaxed') this.log.space.checkpoint('PASSIVE');
    } catch (error) {
      // What the check reads with tells of the disk in its own words.
      this.outage.begin(codeOf(error) === 'log_unreadable' ? (error as SluiceError).cause : error);
    }
  }

  /** The log notes which copy is the newest: should the file lose its end, and the copy be of no use, the next start says so. */
  #copyState(): void {
    if (!this.#copy.step()) return;
    const generation = this.state.noted(STATE_NOTES.generation);
    if (generation !== undefined) this.log.recovery.noteStateGeneration(generation);
  }

  /** The next start looks at all of `state.db` without being told, and `log.db` has nothing to do with it. */
  #keepCopy(): void {
    try {
      this.#copyState();
    } catch (error) {
      const cause = isDamage(error) ? this.#files.readError() : error;
      if (cause === undefined) throw error;
      this.outage.begin(cause);
    }
  }
}
