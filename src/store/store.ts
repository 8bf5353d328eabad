import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LogStats } from '../core/ports.ts';
import type { Place } from '../core/session.ts';
import { defaultGatewayId, randomInstanceId, randomMachineId } from '../platform/machine-id.ts';
import { GroupCommit } from './group-commit.ts';
import { Limits } from './limits.ts';
import { DataDirLock } from './lock.ts';
import { Log } from './log/log.ts';
import { SqliteLogReader } from './log/reader.ts';
import { Outage } from './outage.ts';
import { OverShareReporter } from './over-share-reporter.ts';
import type { StoreOpened, StoreOptions } from './protocol.ts';
import { Reserve } from './reserve.ts';
import { RetainedWriter } from './retained-writer.ts';
import { diskFaultOf } from './sqlite.ts';
import { State } from './state/state.ts';
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
  #lastStats: LogStats | undefined;

  /** @throws SluiceError `locked`, `data_dir_unusable`, `store_damaged`, `store_too_new`, `store_unusable` */
  constructor(options: StoreOptions, clock: StoreClock, onCommit: (durationMs: number) => void) {
    this.#options = options;
    this.#lock = new DataDirLock(options.dataDir);
    const walBytes = Math.min(MAX_WAL_BYTES, Math.max(MIN_WAL_BYTES, options.maxBytes / 16));
    // A full write-ahead log is carried over, and meanwhile another one is written.
    const reserve = new Reserve({ dataDir: options.dataDir, bytes: 2 * walBytes });
    this.outage = new Outage({ reserve, reopen: () => this.#reopen(), retry: () => this.commits.tick() });
    try {
      reserve.releaseIfScarce();
      this.state = new State(join(options.dataDir, 'state.db'));
      const file = join(options.dataDir, 'log.db');
      const keptBytes = Math.min(MAX_KEPT_BYTES, options.maxBytes / 16);
      const machineId = options.machineId ?? this.state.remember('machine_id', randomMachineId());
      const firstSeq = this.state.reservedSeq() + 1;
      const idempotency = { ...options.idempotency, maxBytes: keptBytes };
      this.log = new Log({ ...options, machineId, file, walBytes, keptBytes, idempotency, clock, seqs: this.state });
      this.#reader = new SqliteLogReader(file);
      this.#retained = new RetainedWriter(this.log, this.state);
      this.#overShare = new OverShareReporter(this.log, clock);
      this.#recoverKept();
      this.#limits = new Limits(this.log, { ...options, walBytes }, clock);
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
      };
    } catch (error) {
      this.outage.close();
      this.#lock.release();
      throw error;
    }
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
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
    this.log.close();
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
