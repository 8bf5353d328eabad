/**
 * The same over the whole gateway: a fleet publishes, an uplink is held so that records are pending and skipped, the gateway
 * is killed or stopped, one of its files is damaged, and it is started again, as often as a service manager would.
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Seq } from '../../../src/core/record.ts';
import { STREAMS } from '../../../src/core/stream.ts';
import { examineStore } from '../../../src/store/damage/examine.ts';
import { markSuspect } from '../../../src/store/damage/suspect.ts';
import { sluice } from '../../support/command-line.ts';
import { freePort } from '../../support/free-port.ts';
import { GatewayProcess } from '../../support/gateway-process.ts';
import { Ledger, recordId } from '../../support/ledger.ts';
import { RawClient } from '../../support/mqtt-raw-client.ts';
import { SeededRandom } from '../../support/random.ts';
import { countStore } from '../../support/verify.ts';
import { waitFor } from '../../support/wait-for.ts';
import { Fleet } from '../fleet.ts';
import { ordered } from '../sink.ts';
import { copyStore, doneUpTo, lastSeqOf, type Pending, readPending } from './before.ts';
import { DamageCounts } from './damage-counts.ts';
import { fillStore } from './fill-store.ts';
import { readKnown } from './known.ts';
import { ServiceManager } from './service-manager.ts';
import { recordName } from './told.ts';
import { idOf, namesOf, readArrivals, toldOf, wrongAmong } from './upstream.ts';
import { describeWrecks, type Wreck, wreck } from './wreck.ts';

export interface GatewayDamageOptions {
  readonly cycles: number;
  /** That are put into the log before each damage, beside what the fleet sends. */
  readonly records: number;
  readonly seed: number;
  /** For Node: a module that breaks the gateway on purpose. */
  readonly breaker: readonly string[];
  readonly say: (line: string) => void;
}

const UPLINK = 'sink';
const DEVICE = 'guard';
const DRAIN_MS = 60_000;
const INSIST_MS = 60_000;
/** Of records that wait, put back and delivered. */
const LEAST_PER_MS = 1;
/** The gateway's own gaps are looked at as what they tell. */
const JUDGED = STREAMS.filter((stream) => stream !== 'gaps' && stream !== 'responses');

/** The damage. */
interface Before {
  readonly pending: Pending;
  /** Of all streams. */
  readonly lastSeq: Seq;
  /** Names of records that are upstream. */
  readonly arrived: ReadonlySet<string>;
}

interface Damaged {
  readonly before: Before;
  readonly wrecks: readonly Wreck[];
  /** For people. */
  readonly where: string;
}

class GatewayDamage {
  readonly #options: GatewayDamageOptions;
  readonly #random: SeededRandom;
  readonly #gateway: GatewayProcess;
  readonly #fleet: Fleet;
  readonly #guardedPort: number;
  readonly #manager: ServiceManager;
  #secret = '';
  /** Ids of records that some damage took, told or hidden. */
  readonly #lostIds = new Set<string>();
  /** Commits were lost of which nobody can know, and with them perhaps the ends of QoS 2 exchanges. */
  #hasLostUnseen = false;
  readonly #filled = new Ledger('filled');
  readonly counts = new DamageCounts();
  backfillsMet = 0;
  ackedCount = 0;

  private constructor(options: GatewayDamageOptions, gateway: GatewayProcess, guardedPort: number) {
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
    this.#gateway = gateway;
    this.#guardedPort = guardedPort;
    this.#fleet = new Fleet({ port: gateway.mqttPort, seed: options.seed, messagesPerS: 40 });
    const timeoutMs = DRAIN_MS + options.records / LEAST_PER_MS;
    this.#manager = new ServiceManager({ gateway, counts: this.counts, timeoutMs });
  }

  static async create(options: GatewayDamageOptions): Promise<GatewayDamage> {
    const guardedPort = await freePort();
    const gateway = await GatewayProcess.create({ nodeOptions: options.breaker });
    const sink = {
      name: UPLINK,
      type: 'file',
      directory: '{directory}/upstream',
      backoff: { initial: '50ms', max: '1s' },
    };
    const open = { host: '127.0.0.1', port: gateway.mqttPort };
    gateway.configure({
      mqtt: { listeners: [open, { ...open, port: guardedPort, anonymous: false }], maxPublishRate: 0 },
      // What is sent beside fresh records would take its share of an hour when it is much.
      uplinks: [options.records > 0 ? sink : { ...sink, ...ordered('live_first'), backlogShare: 0.3 }],
    });
    return new GatewayDamage(options, gateway, guardedPort);
  }

  async run(): Promise<void> {
    try {
      await this.#begin();
      for (let cycle = 1; cycle <= this.#options.cycles; cycle += 1) {
        await this.#cycle(cycle);
        if (cycle % 5 === 0)
          this.#options.say(`${cycle} of ${this.#options.cycles} cycles, ${this.counts.problemCount} problems`);
      }
      await this.#finish();
    } catch (cause) {
      throw new Error(`the run broke off; the gateway's last lines:\n${this.#gateway.logTail()}`, { cause });
    } finally {
      this.#fleet.close();
      await this.#gateway.dispose();
    }
  }

  async #begin(): Promise<void> {
    await this.#gateway.start();
    this.#addDevice();
    this.#fleet.start();
    await delay(1_000);
    await this.#gateway.stop('SIGKILL');
    copyStore(this.#gateway.dataDir, this.#old);
    const startedAt = performance.now();
    await this.#gateway.start();
    this.counts.ordinaryUp(performance.now() - startedAt);
    await this.#hold();
  }

  async #cycle(number: number): Promise<void> {
    if (this.#options.records > 0) await this.#fill();
    await delay(this.#random.between(300, 900));
    // With a backlog behind it the lane goes on with fresh records, and the next damage meets what it skipped.
    if (this.#random.chance(0.6)) await this.#letGo();
    await delay(this.#random.between(50, 300));
    const end = this.#random.chance(0.3) ? 'SIGTERM' : 'SIGKILL';
    await this.#gateway.stop(end);
    const { backfillCount, problems } = countStore(this.#gateway.dataDir);
    this.counts.problem(`before cycle ${number}`, ...problems);
    if (backfillCount > 0) this.backfillsMet += 1;
    copyStore(this.#gateway.dataDir, this.#looked);
    const before = {
      pending: readPending(this.#looked),
      lastSeq: lastSeqOf(this.#looked),
      arrived: namesOf(readArrivals(this.#gateway)),
    };
    const wrecks = wreck(this.#gateway.dataDir, this.#old, this.#random);
    // One that was stopped in order has no write-ahead log to exchange.
    if (end === 'SIGKILL') copyStore(this.#looked, this.#old);
    this.counts.met(wrecks);
    const where = `cycle ${number}, ${describeWrecks(wrecks)}`;
    copyStore(this.#gateway.dataDir, this.#looked);
    await this.#startAgain({ before, wrecks, where });
    await this.#drain(before.pending);
    this.#manager.upToStay(where);
    await this.#readAll(before.pending, where);
    await this.#hold();
    this.#judge({ before, wrecks, where });
  }

  async #fill(): Promise<void> {
    await this.#gateway.stop();
    await fillStore(this.#gateway.dataDir, this.#filled, this.#options.records);
    await this.#gateway.start();
  }

  async #startAgain({ wrecks, where }: Damaged): Promise<void> {
    this.#manager.beginAnew();
    await this.#manager.isReady();
    let code: number | undefined;
    await this.#manager.whileUp(async () => {
      const client = await RawClient.open(this.#guardedPort);
      code = await client.connect({ clientId: DEVICE, username: DEVICE, password: this.#secret });
      client.disconnect();
      return true;
    }, 'an answer to a device that logs in');
    const isOnlyCopy = ['state.db', 'state.db.good'].every((name) => wrecks.some(({ file }) => file === name));
    this.counts.lostDevices(where, code === 0 ? 0 : 1, { mayBe: isOnlyCopy });
    if (code !== 0) this.#addDevice();
    const aside = readdirSync(this.#gateway.dataDir).filter((name) => name.endsWith('.damaged'));
    if (aside.some((name) => !/^(log|state)\.db\.damaged$/.test(name))) {
      this.counts.problem(where, `set aside are ${aside.join(' ')}`);
    }
  }

  #addDevice(): void {
    const added = sluice(['device', 'add', DEVICE, '--json', '--config', this.#gateway.configFile]);
    this.#secret = (JSON.parse(added.out) as { secret: string }).secret;
  }

  /** Until the uplink has done with everything that was pending, and is held again. */
  async #drain(pending: Pending): Promise<void> {
    await this.#manager.whileUp(async () => {
      await this.#ask('resume');
      const ends = JUDGED.map((stream) => [stream, lastOf(pending.get(stream))] as const);
      return ends.every(([stream, end]) => doneUpTo(this.#gateway.dataDir, stream) >= end);
    }, 'what was pending to be delivered');
    await this.#manager.whileUp(
      async () => doneUpTo(this.#gateway.dataDir, 'gaps') === Number.POSITIVE_INFINITY,
      'gaps to be told',
    );
  }

  /** As the check in the background does, which has more time than a test; what it finds makes one more start. */
  async #readAll(pending: Pending, where: string): Promise<void> {
    const { dataDir } = this.#gateway;
    const damaged = examineStore(dataDir).findings.filter(({ kind }) => kind === 'repair');
    if (damaged.length === 0) return;
    if (damaged.some(({ file }) => file.endsWith('log.db'))) markSuspect(join(dataDir, 'log.db'));
    await this.#gateway.stop('SIGKILL');
    this.#manager.beginAnew();
    await this.#drain(pending);
    this.#manager.upToStay(where);
  }

  #judge({ before, wrecks, where }: Damaged): void {
    const arrived = readArrivals(this.#gateway);
    const wrong = wrongAmong(arrived, this.#ledgers);
    this.counts.wrong(where, wrong.length, `as ${wrong[0]?.text}`);
    const { lastSeq, arrived: arrivedBefore } = before;
    const told = toldOf(arrived, { dataDir: this.#gateway.dataDir, lastSeq, before: arrivedBefore });
    const known = readKnown(this.#looked, UPLINK);
    for (const stream of JUDGED) {
      const records = before.pending.get(stream) ?? new Map<number, string>();
      const verdict = this.counts.judge(where, {
        ...{ stream, told, wrecks, settledUpTo: 0 },
        promised: [...records.keys()],
        known: known?.get(stream),
      });
      this.#hasLostUnseen ||= verdict.hiddenCount > 0;
      for (const [seq, id] of records) if (!told.arrived.has(recordName(stream, seq))) this.#lostIds.add(id);
    }
  }

  /** Every acknowledged record arrived, or was among those that a damage took. */
  async #finish(): Promise<void> {
    await this.#letGo();
    await this.#fleet.finish();
    await this.#drain(readPending(this.#gateway.dataDir));
    await this.#gateway.stop('SIGTERM');
    this.counts.problem('at the end', ...countStore(this.#gateway.dataDir).problems);
    if (this.backfillsMet === 0 && this.#options.records === 0)
      this.counts.problem('the run', 'no damage met a backfill: it says nothing of them');
    const unaccounted = this.#unaccounted();
    if (unaccounted.length > 0) {
      const examples = unaccounted.slice(0, 5).join(' ');
      this.counts.problem(
        'at the end',
        `${unaccounted.length} acknowledged neither arrived nor were lost to a damage: ${examples}`,
      );
    }
  }

  #unaccounted(): string[] {
    const arrived = new Set(readArrivals(this.#gateway).map(idOf));
    const ids: string[] = [];
    for (const ledger of this.#ledgers) {
      this.ackedCount += ledger.ackedCount;
      if (this.#hasLostUnseen && ledger.device.includes('-q2-')) continue;
      for (let number = 1; number <= ledger.sentCount; number += 1) {
        const id = recordId(ledger.device, number);
        if (ledger.isAcked(number) && !arrived.has(id) && !this.#lostIds.has(id)) ids.push(id);
      }
    }
    return ids;
  }

  async #hold(): Promise<void> {
    await this.#insist('pause');
  }

  async #letGo(): Promise<void> {
    await this.#insist('resume');
  }

  /** More than once, perhaps: what looks through a large store for long does not see that connections are closed. */
  async #insist(what: 'pause' | 'resume'): Promise<void> {
    const isUp = () => this.#gateway.pid !== undefined;
    const insist = async () => {
      if (isUp()) await this.#ask(what);
      return true;
    };
    await waitFor(insist, { what: `an answer to ${what}`, timeoutMs: INSIST_MS });
    if (!isUp()) this.counts.problem(`at ${what}`, 'the gateway had ended, and nothing was done to it');
  }

  async #ask(what: 'pause' | 'resume'): Promise<void> {
    const url = `http://127.0.0.1:${this.#gateway.apiPort}/v1/uplinks/${UPLINK}/${what}`;
    const response = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(15_000) });
    if (!response.ok) throw new Error(`POST ${url}: ${response.status}`);
  }

  get #ledgers(): readonly Ledger[] {
    return [...this.#fleet.senders.map(({ ledger }) => ledger), this.#filled];
  }

  get #old(): string {
    return join(this.#gateway.directory, 'old');
  }

  get #looked(): string {
    return join(this.#gateway.directory, 'looked-at');
  }
}

/** Of records in the order of their seqs; there may be too many for one call. */
function lastOf(records: ReadonlyMap<Seq, string> = new Map()): Seq {
  let last = 0;
  for (const seq of records.keys()) last = seq;
  return last;
}

export async function damageGateway(options: GatewayDamageOptions) {
  const run = await GatewayDamage.create(options);
  await run.run();
  const { counts, backfillsMet, ackedCount } = run;
  return { cycles: options.cycles, ...counts.figures, backfillsMet, ackedCount };
}
