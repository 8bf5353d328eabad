/**
 * A gateway's store without the gateway: opens the one in DIRECTORY, delivers all that is pending, and prints what it
 * found as JSON. Ends as the daemon does when it finds damage while it runs. `node drain.ts DIRECTORY [TURNS]`: after so many
 * turns of the loop it is killed.
 */

import { Buffer } from 'node:buffer';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Gap } from '../../../src/core/gap.ts';
import type { StoredRecord } from '../../../src/core/record.ts';
import { STREAMS, type Stream } from '../../../src/core/stream.ts';
import { endThreadAsDamaged } from '../../../src/store/damage/suspect.ts';
import { SqliteLogReader } from '../../../src/store/log/reader.ts';
import { entryOfNumber, type Part } from '../../support/append-until-killed.ts';
import { type OpenStore, openStore } from '../../support/open-store.ts';
import { POWER_STORE, UPLINK } from '../power/power-store.ts';
import { TOLD_FILE, type ToldLine } from './told.ts';

export interface Drained {
  /** UTC milliseconds. */
  readonly openedAt: number;
  readonly repairs: readonly string[];
  /** Records that are not what their sender sent. */
  readonly wrongCount: number;
  readonly devices: readonly string[];
  readonly firstSeq: number;
}

class Drain {
  readonly #store: OpenStore;
  readonly reader: SqliteLogReader;
  wrongCount = 0;

  constructor(store: OpenStore, reader: SqliteLogReader) {
    this.#store = store;
    this.reader = reader;
  }

  async lane(stream: Stream): Promise<void> {
    const lane = { uplink: UPLINK, stream };
    let from = await this.#store.lanes.open(lane, 'oldest');
    for (;;) {
      const { records, damaged, upTo } = this.reader.read(stream, from, { maxRecords: 2_000, maxBytes: 2 ** 22 });
      if (upTo === from) return;
      await this.#store.lanes.claim(lane, upTo);
      const lines = [
        ...records.map((record) => this.#take(record)),
        ...damaged.map((seq) => ({ rejected: seq, stream })),
      ];
      appendFileSync(join(dataDir, TOLD_FILE), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      const rejected = damaged.map((seq) => ({ seq, reason: 'record_damaged', detail: '' }));
      await this.#store.lanes.settle({ lane, from, upTo, deliveredCount: records.length, rejected });
      from = upTo;
    }
  }

  #take(record: StoredRecord): ToldLine {
    const { stream, seq, value } = record;
    const text = Buffer.from(value).toString();
    if (stream === 'gaps') return { gapSeq: seq, gap: JSON.parse(text) as Gap };
    if (!isAsSent(record, text)) this.wrongCount += 1;
    return { arrived: seq, stream };
  }
}

function isAsSent(record: StoredRecord, text: string): boolean {
  const part = partOf(text);
  const entry = part === undefined ? undefined : entryOfNumber(part.entry);
  const sent = entry?.kind === 'records' ? entry.records[part?.index ?? -1] : undefined;
  return (
    sent !== undefined &&
    sent.stream === record.stream &&
    sent.device === record.device &&
    sent.channel === record.channel &&
    Buffer.from(sent.value).toString() === text
  );
}

function partOf(text: string): Part | undefined {
  try {
    return JSON.parse(text) as Part;
  } catch {
    return undefined;
  }
}

async function dieAfter(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await nextTurn();
  process.kill(process.pid, 'SIGKILL');
}

const [dataDir = '', turns] = process.argv.slice(2);
if (turns !== undefined) void dieAfter(Number(turns));
const store = await openStore({ ...POWER_STORE, dataDir });
const openedAt = Date.now();
await store.client.salvaged();
const logFile = join(dataDir, 'log.db');
const drain = new Drain(store, new SqliteLogReader(logFile, endThreadAsDamaged(logFile)));
for (const stream of ['telemetry', 'events', 'gaps'] as const) await drain.lane(stream);
// As the check in the background does, which has more time than a test.
for (const stream of STREAMS) {
  for (let after = 0, upTo = -1; upTo !== after; ) {
    after = Math.max(upTo, 0);
    ({ upTo } = drain.reader.read(stream, after, { maxRecords: 2_000, maxBytes: 2 ** 22 }));
  }
}
const devices = (await store.client.loadDevices()).filter(({ id, secretHash }) => secretHash === `hash-of-${id}`);
const { firstSeq } = await store.client.append(entryOfNumber(1));
const drained: Drained = {
  ...drain,
  openedAt,
  repairs: store.opened.repairs,
  devices: devices.map(({ id }) => id),
  firstSeq,
};
await store.close();
process.stdout.write(JSON.stringify(drained), () => process.exit(0));
