/** One gateway on a machine whose clock is wrong, set right, and set wrong again; and the stick that it delivers to. */

import { renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'better-sqlite3';
import type { Seq } from '../../../src/core/record.ts';
import type { GatewayProcess } from '../../support/gateway-process.ts';
import { MachineClock } from '../../support/machine-clock.ts';
import { progress } from '../../support/verify.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Fleet } from '../fleet.ts';
import { DAY_MS, RESTARTS, STARTS, YEAR_MS } from './starts.ts';
import type { Stretch } from './time-judge.ts';

const HOUR_MS = 3_600_000;
/** What happens to it while nobody has synchronised it. */
const DAYS_MS = 3 * DAY_MS;
/** What happens to it after it was synchronised, one cycle after the other. */
const JUMPS = [10 * YEAR_MS, -HOUR_MS, 56 * YEAR_MS, -30 * YEAR_MS];
const UNSYNCED_MS = 300;
const GOES_ON_MS = 10_000;

export class Scene {
  readonly gateway: GatewayProcess;
  readonly fleet: Fleet;
  readonly problems: string[] = [];
  /** Accepted in boots in which the clock was never synchronised. */
  readonly lost: Stretch[] = [];
  slowestSyncMs = 0;
  readonly #configureWait: (waitForSync: string) => void;
  readonly #clock: MachineClock;

  constructor(gateway: GatewayProcess, fleet: Fleet, configureWait: (waitForSync: string) => void) {
    this.gateway = gateway;
    this.#clock = new MachineClock(gateway);
    this.fleet = fleet;
    this.#configureWait = configureWait;
  }

  /** A life of the machine: it starts with a wrong clock, is set right, and is set wrong again while it runs. */
  async cycle(number: number): Promise<void> {
    const [name, offsetMs] = STARTS[number % STARTS.length] ?? ['', () => 0];
    const startMs = offsetMs(Date.now());
    // What keeps records back: the gateway waits for the clock, or there is nothing to deliver to.
    const isPulledOut = number % 2 === 1;
    await this.gateway.stop('SIGKILL');
    const before = lastSeq(this.gateway.dataDir);
    if (isPulledOut) this.#moveStick('upstream', 'pocket');
    this.#configureWait(isPulledOut ? '0s' : '10m');
    await this.#boot(startMs);
    const deliveredBefore = progress(this.gateway.dataDir).delivered;
    await delay(UNSYNCED_MS);
    this.#clock.set(startMs + DAYS_MS, 'unsynced');
    await this.#goesOn(`start at ${name}`, 'stored', () => this.fleet.ackedCount);
    await this.#startAgain(RESTARTS[number % RESTARTS.length] ?? 'nothing', startMs, before);
    if (progress(this.gateway.dataDir).delivered > deliveredBefore)
      this.problems.push(`${name}: forwarded before the clock was right`);
    await this.#synchronise(name, isPulledOut);
    await this.#jump(JUMPS[number % JUMPS.length] ?? 0);
  }

  async #boot(offsetMs: number): Promise<void> {
    this.#clock.boot();
    this.#clock.set(offsetMs, 'unsynced');
    await this.gateway.start();
  }

  /** In the middle of it, before the clock is synchronised. */
  async #startAgain(what: (typeof RESTARTS)[number], offsetMs: number, before: Seq): Promise<void> {
    if (what === 'nothing') return;
    await this.gateway.stop('SIGKILL');
    if (what === 'the gateway') await this.gateway.start();
    else {
      this.lost.push({ after: before, upTo: lastSeq(this.gateway.dataDir) });
      await this.#boot(offsetMs);
    }
    await this.#goesOn(`${what} started again`, 'stored', () => this.fleet.ackedCount);
  }

  async #synchronise(name: string, isPulledOut: boolean): Promise<void> {
    const seq = lastSeq(this.gateway.dataDir);
    const syncedAt = performance.now();
    this.#clock.set(0, 'synced');
    if (isPulledOut) {
      await this.#isCorrected(seq).catch(() => this.problems.push(`${name}: record ${seq} was not corrected`));
      this.#moveStick('pocket', 'upstream');
    }
    await this.#goesOn(`synchronised after ${name}`, 'delivered', () => progress(this.gateway.dataDir).delivered);
    this.slowestSyncMs = Math.max(this.slowestSyncMs, Math.round(performance.now() - syncedAt));
  }

  /** Somebody sets the clock while records with true times wait. */
  async #jump(ms: number): Promise<void> {
    const when = `set by ${ms / HOUR_MS} h`;
    await this.#forwarding('pause');
    await this.#goesOn('paused', 'stored', () => this.fleet.ackedCount);
    this.#clock.set(ms, 'synced');
    await this.#goesOn(when, 'stored', () => this.fleet.ackedCount);
    await this.#forwarding('resume');
    await this.#goesOn(when, 'delivered', () => progress(this.gateway.dataDir).delivered);
    this.#clock.set(0, 'synced');
  }

  async #forwarding(what: 'pause' | 'resume'): Promise<void> {
    const url = `http://127.0.0.1:${this.gateway.apiPort}/v1/uplinks/stick/${what}`;
    const response = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(GOES_ON_MS) });
    if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${await response.text()}`);
  }

  async #isCorrected(seq: Seq): Promise<void> {
    const look = async (): Promise<boolean> => {
      const record = (await this.gateway.get(`/v1/records/${seq}`)) as { readonly time_quality: string };
      return record.time_quality === 'corrected';
    };
    await waitFor(look, { what: 'the record to be corrected', timeoutMs: GOES_ON_MS });
  }

  #moveStick(from: string, to: string): void {
    renameSync(join(this.gateway.directory, from), join(this.gateway.directory, to));
  }

  /** More than a batch more: what was on its way does not count. */
  async #goesOn(when: string, what: string, count: () => number): Promise<void> {
    const wanted = count() + 100;
    const isThere = (): boolean => count() >= wanted;
    await waitFor(isThere, { what, timeoutMs: GOES_ON_MS, everyMs: 25 }).catch(() => {
      this.problems.push(`${when}: nothing was ${what} for ${GOES_ON_MS} ms`);
    });
  }
}

/** Of all streams; 0 before the first start. */
function lastSeq(dataDir: string): Seq {
  const file = join(dataDir, 'log.db');
  try {
    const db = new Database(file, { readonly: true, fileMustExist: true });
    try {
      return db.prepare<[], number>('SELECT max(last_seq) FROM streams').pluck().get() ?? 0;
    } finally {
      db.close();
    }
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code === 'SQLITE_CANTOPEN') return 0;
    throw error;
  }
}
