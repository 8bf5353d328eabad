import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LogStats } from '../core/ports.ts';
import type { Place } from '../core/session.ts';
import { defaultGatewayId, randomInstanceId, randomMachineId } from '../platform/machine-id.ts';
import { BackgroundCheck } from './damage/background-check.ts';
import { GoodCopy, openState } from './damage/good-copy.ts';
import { noteLogClosed, noteLogGrown, openLog, type Roots } from './damage/open-log.ts';
import { Salvage } from './damage/salvage.ts';
import { removeSetAside, setAsideBytes } from './damage/set-aside.ts';
import { endThreadAsDamaged, markSuspect } from './damage/suspect.ts';
import { GroupCommit } from './group-commit.ts';
import { Limits } from './limits.ts';
import { DataDirLock } from './lock.ts';
import type { Log } from './log/log.ts';
import { SqliteLogReader } from './log/reader.ts';
import { Outage } from './outage.ts';
import { OverShareReporter } from './over-share-reporter.ts';
import type { StoreOpened, StoreOptions } from './protocol.ts';
import { Reserve } from './reserve.ts';
import { RetainedWriter } from './retained-writer.ts';
import { diskFaultOf, isDamage } from './sqlite.ts';
import type { State } from './state/state.ts';
import type { StoreClock } from './store-clock.ts';

const TICK_MS = 1_000;
const MIN_WAL_BYTES = 256 * 1024;
const MAX_WAL_BYTES = 4 * 1024 * 1024;
/** What is kept for people must leave a small buffer room for records. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

/** Both files with everything that works on them; lives on the store worker. */
export class Store {
  readonly #options: StoreOptions;
  readonly #lock: DataDirLock;
  readonly #limits: Limits;
  readonly #ticker: NodeJS.Timeout;
  readonly #reader: SqliteLogReader;
  readonly #retained: RetainedWriter;
  readonly #overShare: OverShareReporter;
  readonly opened: StoreOpened;
  readonly state: State;
  readonly log: Log;
  readonly commits: GroupCommit;
  /** When the disk takes no writes. */
  readonly outage: Outage;
  readonly #copy: GoodCopy;
  readonly #check: BackgroundCheck;
  readonly #salvage: Salvage | null;
  #lastStats: LogStats | undefined;

  /** @throws SluiceError `locked`, `data_dir_unusable`, `store_damaged`, `store_too_new`, `store_unusable` */
  constructor(options: StoreOptions, clock: StoreClock, onCommit: (durationMs: number) => void) {
    this.#options = options;
    this.#lock = new DataDirLock(options.dataDir);
    const walBytes = Math.min(MAX_WAL_BYTES, Math.max(MIN_WAL_BYTES, options.maxBytes / 16));
    // A full write-ahead log is carried over, and meanwhile another one is written.
    const reserve = new Reserve({ dataDir: options.dataDir, bytes: 2 * walBytes });
    this.outage = new Outage({
      reserve,
      reopen: () => this.#reopen(),
      onDamage: () => this.#suspect(),
      retry: () => this.commits.tick(),
    });
    try {
      reserve.releaseIfScarce();
      const stateFile = join(options.dataDir, 'state.db');
      const { state, repair: stateRepair } = openState(stateFile);
      this.state = state;
      this.#copy = new GoodCopy(state, stateFile);
      const file = join(options.dataDir, 'log.db');
      const keptBytes = Math.min(MAX_KEPT_BYTES, options.maxBytes / 16);
      const machineId = options.machineId ?? this.state.remember('machine_id', randomMachineId());
      const firstSeq = this.state.reservedSeq() + 1;
      const idempotency = { ...options.idempotency, maxBytes: keptBytes };
      const logOptions = { ...options, machineId, file, walBytes, keptBytes, idempotency, clock, seqs: state };
      const { log, repair: logRepair, toSalvage } = openLog(logOptions, state);
      this.log = log;
      this.#salvage = toSalvage === null ? null : this.#salvageWith(file, toSalvage);
      this.#reader = new SqliteLogReader(file, endThreadAsDamaged(file));
      this.#check = new BackgroundCheck(this.#reader);
      this.#retained = new RetainedWriter(this.log, this.state);
      this.#overShare = new OverShareReporter(this.log, clock);
      this.#recoverKept();
      // What is set aside takes space too.
      const asideBytes = Math.min(options.maxBytes / 4, setAsideBytes(file) + setAsideBytes(stateFile));
      this.#limits = new Limits(this.log, { ...options, walBytes: walBytes + asideBytes }, clock);
      this.commits = new GroupCommit(this.log, this.#limits, {
        commitIntervalMs: options.commitIntervalMs,
        outage: this.outage,
        onCommit,
      });
      this.outage.takeReserve();
      this.opened = {
        gatewayId:
          options.gatewayId ?? this.state.remember('gateway_id', defaultGatewayId(options.hostName, machineId)),
        instanceId: this.state.remember(`instance_id:${machineId}`, randomInstanceId()),
        epoch: this.log.epoch,
        firstSeq,
        openHandshakes: this.log.openHandshakes(),
        logFile: file,
        repairs: [stateRepair, logRepair].filter((repair) => repair !== null),
      };
      this.#copy.step();
      this.#salvage?.start(this.commits);
    } catch (error) {
      if (isDamage(error)) this.#suspect();
      this.outage.close();
      this.#abandon();
      this.#lock.release();
      throw error;
    }
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Calls back when no record of a damaged log will be put back any more: what was older is older again. */
  whenSalvaged(work: () => void): void {
    if (this.#salvage === null) work();
    else this.#salvage.whenEnded(work);
  }

  get reader(): SqliteLogReader {
    return this.#reader;
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
      if (this.#lastStats === undefined || diskFaultOf(error) === undefined) throw error;
      this.outage.begin(error);
      return { ...this.#lastStats, full: this.commits.full };
    }
  }

  close(): void {
    clearInterval(this.#ticker);
    this.commits.close();
    this.outage.close();
    this.#reader.close();
    this.#salvage?.close();
    this.log.close();
    noteLogClosed(this.state, this.log);
    this.#copy.step();
    this.state.close();
    this.#lock.release();
  }

  #stats(): LogStats {
    return {
      ...this.log.stats(),
      bytes: this.log.usedBytes() + this.log.walBytes(),
      maxBytes: this.#options.maxBytes,
      room: this.#limits.room,
      freeBytes: this.#limits.freeBytes(),
      keepFreeBytes: this.#options.keepFreeBytes,
      maxAgeMs: this.#options.maxAgeMs,
      writtenBytes: writtenBytes(),
      full: this.commits.full,
    };
  }

  #salvageWith(file: string, roots: Roots): Salvage {
    return new Salvage({
      log: this.log,
      file,
      roots,
      onEnd: () => {
        // For people, when it is small beside the buffer.
        if (setAsideBytes(file) > this.#options.maxBytes / 4) removeSetAside(file);
      },
    });
  }

  /** Whatever is open of a store that did not open as a whole. */
  #abandon(): void {
    this.#reader?.close();
    this.#salvage?.close();
    this.log?.abandon();
    this.state?.close();
  }

  #suspect(): void {
    markSuspect(join(this.#options.dataDir, 'log.db'));
  }

  /** `state.db` first: it gives the log its seqs. */
  #reopen(): void {
    this.state.reopen();
    this.log.reopen();
  }

  /** Makes both files agree again. On a full disk the next start does it; what is too much does no harm. */
  #recoverKept(): void {
    try {
      this.#retained.catchUp();
      this.log.transaction(() => this.log.queues.keepOnly(new Set(this.state.sessions.ids())));
    } catch (error) {
      this.outage.begin(error);
    }
  }

  #tick(): void {
    this.commits.tick();
    if (this.outage.isTotal) return;
    try {
      noteLogGrown(this.state, this.log, this.opened.firstSeq);
      this.#copy.step();
      this.#check.step();
      this.#retained.step(this.commits);
      this.#overShare.step(this.commits);
      // With `relaxed` a commit reaches the disk at the next checkpoint: at most this much later.
      if (this.#options.durability === 'relaxed') this.log.checkpoint('PASSIVE');
    } catch (error) {
      this.outage.begin(error);
    }
  }
}

/** Bytes this thread caused to be written to the disk; 0 where the kernel does not say. */
function writtenBytes(): number {
  try {
    const line = /^write_bytes: (\d+)$/m.exec(readFileSync('/proc/thread-self/io', 'utf8'));
    return Number(line?.[1] ?? 0);
  } catch {
    return 0;
  }
}
