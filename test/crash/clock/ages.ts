/**
 * One gateway whose limit of age has work to do, over days of which most pass at once, with power and without, under
 * clocks that are wrong: what is younger than the limit stays, what is older goes and is told, by docs/delivery.md#age.
 */

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Gap } from '../../../src/core/gap.ts';
import type { Seq } from '../../../src/core/record.ts';
import { type Entry, problemsOf } from '../../support/accounts.ts';
import { readEventFiles } from '../../support/event-files.ts';
import type { GatewayProcess } from '../../support/gateway-process.ts';
import type { MachineClock } from '../../support/machine-clock.ts';
import { waitFor } from '../../support/wait-for.ts';
import { drained } from '../drained.ts';
import { BETWEEN_MS, EVERY_MS, LIVES, MAX_AGE_MS, MINUTE_MS, PARTLY, REST_MS, SHORT_MS } from './lives.ts';
import { RESTARTS, STARTS, YEAR_MS } from './starts.ts';

/** Once the clock is synchronised; the last one takes it to a year in which nobody believes it. */
const JUMPS_MS = [10 * YEAR_MS, 56 * YEAR_MS, -30 * YEAR_MS];
const LOT = 20;
const DEVICE = 'well';
const TIMEOUT_MS = 30_000;

/** Records that were accepted at once. */
interface Lot {
  readonly first: Seq;
  readonly last: Seq;
  /** From when on its age is counted, in true time; undefined while nobody knows. */
  countsFrom: number | undefined;
  goneCount: number;
}

export interface AgeVerdict {
  readonly agedCount: number;
  readonly expiredCount: number;
  /** Dropped before they were too old, or before the clock could be trusted. */
  readonly expiredEarlyCount: number;
  /** Still there when they were too old. */
  readonly overdueCount: number;
}

export class Ages {
  readonly problems: string[] = [];
  readonly #gateway: GatewayProcess;
  readonly #clock: MachineClock;
  readonly #lots: Lot[] = [];
  #expired = 0;
  #early = 0;
  #overdue = 0;

  constructor(gateway: GatewayProcess, clock: MachineClock) {
    this.#gateway = gateway;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    this.#clock.boot();
    this.#clock.set(0, 'unsynced');
    await this.#gateway.start();
    await this.#post('/v1/uplinks/stick/pause');
    await this.#store();
    await this.#synchronise();
  }

  /** A life of the machine, from when it loses power until something was too old. */
  async cycle(number: number): Promise<void> {
    const [name, offsetMs] = STARTS[number % STARTS.length] ?? ['', () => 0];
    const { awayMs, unsyncedMs } = LIVES[number % LIVES.length] ?? PARTLY;
    await this.#store();
    await this.#pass(BETWEEN_MS);
    this.#oldOnesAreGone('while the clock was right');
    await this.#store();
    await this.#gateway.stop('SIGKILL');
    this.#clock.passWithoutPower(awayMs);
    await this.#boot(offsetMs(this.#clock.now()));
    await this.#stayUnsynced(unsyncedMs, `start at ${name}`);
    await this.#startAgain(RESTARTS[number % RESTARTS.length] ?? 'nothing', offsetMs(this.#clock.now()));
    this.#nothingGoes('started again');
    await this.#store('untrue');
    await this.#synchronise();
    await this.#store();
    await this.#pass(SHORT_MS);
    this.#nothingGoes('just synchronised');
    this.#clock.set(JUMPS_MS[number % JUMPS_MS.length] ?? 0, 'synced');
    await this.#looked();
    await this.#store('untrue');
    await this.#pass(SHORT_MS);
    this.#nothingGoes('set wrong');
    await this.#synchronise();
    await this.#pass(SHORT_MS);
    this.#nothingGoes('set right');
    await this.#pass(REST_MS);
    this.#oldOnesAreGone(`after a start at ${name}`);
  }

  /** Delivers what is left, and settles accounts. */
  async finish(): Promise<AgeVerdict> {
    await this.#post('/v1/uplinks/stick/resume');
    await drained(this.#gateway);
    await this.#gateway.stop('SIGTERM');
    const directory = join(this.#gateway.directory, 'stick');
    const lines = (stream: string) => readEventFiles(directory, 'test-gateway', stream);
    const entry = (seq: Seq): Entry => ({ device: DEVICE, stream: 'telemetry', seq });
    const accepted = this.#lots.flatMap(seqsOf).map(entry);
    const gaps = lines('gaps').map(({ event }) => event['data'] as Gap);
    this.problems.push(
      ...problemsOf(
        accepted,
        lines('telemetry').map(({ seq }) => entry(seq)),
        gaps,
      ),
      ...gaps.filter(({ reason }) => reason !== 'max_age').map((gap) => `lost otherwise: ${JSON.stringify(gap)}`),
    );
    if (this.#expired === 0) this.problems.push('nothing expired: the run says nothing of ages');
    const counts = { expiredEarlyCount: this.#early, overdueCount: this.#overdue };
    return { agedCount: accepted.length, expiredCount: this.#expired, ...counts };
  }

  /** However old it gets meanwhile. */
  async #stayUnsynced(ms: number, when: string): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += EVERY_MS) {
      await this.#store('untrue');
      await this.#pass(Math.min(EVERY_MS, ms - passedMs));
      this.#nothingGoes(when);
    }
  }

  async #boot(offsetMs: number): Promise<void> {
    this.#clock.boot();
    this.#clock.set(offsetMs, 'unsynced');
    await this.#launch();
  }

  async #launch(): Promise<void> {
    rmSync(this.#lookedFile, { force: true });
    await this.#gateway.start();
    await this.#looked();
  }

  async #startAgain(what: (typeof RESTARTS)[number], offsetMs: number): Promise<void> {
    if (what === 'nothing') return;
    await this.#gateway.stop('SIGKILL');
    await (what === 'the gateway' ? this.#launch() : this.#boot(offsetMs));
  }

  /** `untrue`: by a clock that is wrong, or that nobody has synchronised. */
  async #store(how: 'true' | 'untrue' = 'true'): Promise<void> {
    const acceptedAt = this.#clock.now();
    const records = Array.from({ length: LOT }, (_, level) => ({ level }));
    const { first_seq: first } = (await this.#post(`/v1/devices/${DEVICE}/telemetry`, records)) as { first_seq: Seq };
    const countsFrom = how === 'true' ? acceptedAt : undefined;
    this.#lots.push({ first, last: first + LOT - 1, countsFrom, goneCount: 0 });
  }

  async #pass(ms: number): Promise<void> {
    this.#clock.pass(ms);
    await this.#looked();
  }

  /** The clock is right, and said to be: what was accepted before is as old as this moment, if it is not older. */
  async #synchronise(): Promise<void> {
    const now = this.#clock.now();
    this.#clock.set(0, 'synced');
    const isNoted = (): boolean =>
      this.#log((db) =>
        db.prepare('SELECT 1 FROM known_times WHERE at BETWEEN ? AND ?').get(now, this.#clock.now()),
      ) !== undefined;
    await waitFor(isNoted, { what: 'the moment to be noted', timeoutMs: TIMEOUT_MS }).catch(() => {
      this.problems.push('the store has not noted that the clock was set right');
    });
    for (const lot of this.#lots) lot.countsFrom ??= now;
  }

  get #lookedFile(): string {
    return join(this.#gateway.directory, 'clock.looked');
  }

  async #looked(): Promise<void> {
    const hasLooked = (): boolean => readFileSync(this.#lookedFile, 'utf8') === this.#clock.setting;
    await waitFor(hasLooked, { what: 'the limit of age to have looked', timeoutMs: TIMEOUT_MS });
  }

  #nothingGoes(when: string): void {
    this.#judge(when, () => false);
  }

  #oldOnesAreGone(when: string): void {
    const now = this.#clock.now();
    this.#judge(when, ({ countsFrom = now }) => now - countsFrom > MAX_AGE_MS);
  }

  #judge(when: string, isDue: (lot: Lot) => boolean): void {
    const there = new Set(this.#log((db) => db.prepare<[], Seq>('SELECT seq FROM telemetry').pluck().all()));
    for (const lot of this.#lots.filter(({ goneCount }) => goneCount < LOT)) {
      const all = seqsOf(lot).filter((seq) => !there.has(seq)).length;
      const gone = all - lot.goneCount;
      const age = lot.countsFrom === undefined ? 'of unknown age' : `of ${minutesSince(lot.countsFrom, this.#clock)}`;
      if (!isDue(lot)) {
        this.#early += gone;
        if (gone > 0) this.problems.push(`${when}: ${gone} records ${age} expired early`);
      } else if (all < LOT) {
        this.#overdue += LOT - all;
        this.problems.push(`${when}: ${LOT - all} records ${age} are still there`);
      }
      this.#expired += gone;
      lot.goneCount = all;
    }
  }

  #log<Found>(look: (db: Database.Database) => Found): Found {
    const db = new Database(join(this.#gateway.dataDir, 'log.db'), { readonly: true, fileMustExist: true });
    try {
      return look(db);
    } finally {
      db.close();
    }
  }

  async #post(path: string, body?: unknown): Promise<unknown> {
    const url = `http://127.0.0.1:${this.#gateway.apiPort}${path}`;
    const response = await fetch(url, {
      method: 'POST',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  }
}

function seqsOf({ first, last }: Lot): Seq[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function minutesSince(moment: number, clock: MachineClock): string {
  return `${Math.round((clock.now() - moment) / MINUTE_MS)} minutes`;
}
