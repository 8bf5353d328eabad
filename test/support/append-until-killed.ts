/**
 * A process to be killed: appends to the store in DIRECTORY and settles a lane, and writes what was promised to it to
 * FILE, one line each, at the moment of the promise. `node append-until-killed.ts DIRECTORY FILE FIRST_ENTRY [too_early]`
 *
 * | line | means |
 * |---|---|
 * | `accepted ENTRY SEQ` | the entry is stored, its first record under this seq |
 * | `settled SEQ` | the lane's cursor stands here |
 *
 * `too_early`: the control. Promises before anything can be on disk, and kills itself.
 */

import { Buffer } from 'node:buffer';
import { openSync, writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { LaneId } from '../../src/core/lane-log.ts';
import type { LogEntry } from '../../src/core/ports.ts';
import type { StoredRecord } from '../../src/core/record.ts';
import { type OpenStore, openStore } from './open-store.ts';
import { newRecord } from './records.ts';

export const LANE: LaneId = { uplink: 'plant', stream: 'telemetry' };
export const MAX_IN_FLIGHT = 64;
const REJECT_EVERY = 50;
const CONTROL_ENTRY_COUNT = 100;

/** What the value of each record says. */
export interface Part {
  readonly entry: number;
  readonly index: number;
  readonly of: number;
}

/** Of every entry the number says all: 1 to 5 records over two streams, every other one a QoS 2 message. */
export function entryOfNumber(entry: number): LogEntry {
  const of = 1 + (entry % 5);
  const records = Array.from({ length: of }, (_, index) => {
    const part: Part = { entry, index, of };
    return newRecord({ stream: index % 2 ? 'events' : 'telemetry', value: Buffer.from(JSON.stringify(part)) });
  });
  return { kind: 'records', records, handshake: entry % 2 ? { clientId: `c${entry}`, packetId: 1 } : null };
}

async function appendForEver(store: OpenStore, firstEntry: number, print: (line: string) => void): Promise<void> {
  for (let next = firstEntry; ; next += MAX_IN_FLIGHT) {
    const entries = Array.from({ length: MAX_IN_FLIGHT }, (_, index) => next + index);
    const append = async (entry: number) => {
      const { firstSeq } = await store.client.append(entryOfNumber(entry));
      print(`accepted ${entry} ${firstSeq}`);
    };
    await Promise.all(entries.map(append));
  }
}

async function settleForEver({ lanes, reader }: OpenStore, print: (line: string) => void): Promise<void> {
  const { signal } = new AbortController();
  let cursor = await lanes.open(LANE, 'oldest');
  for (;;) {
    await lanes.wait(LANE, cursor, signal);
    const { records, upTo } = reader.read(LANE.stream, cursor, { maxRecords: 100, maxBytes: 2 ** 20 });
    await lanes.claim(LANE, upTo);
    const rejected = records.filter(isRejected).map(({ seq }) => ({ seq, reason: 'invalid_record', detail: 'no' }));
    const deliveredCount = records.length - rejected.length;
    await lanes.settle({ lane: LANE, from: cursor, upTo, deliveredCount, rejected });
    cursor = upTo;
    print(`settled ${cursor}`);
  }
}

function isRejected({ seq }: StoredRecord): boolean {
  return seq % REJECT_EVERY === 0;
}

async function main([dataDir = '', file = '', firstEntry = '', mode = '']: readonly string[]): Promise<void> {
  const store = await openStore({ dataDir });
  const fd = openSync(file, 'a');
  const print = (line: string) => writeSync(fd, `${line}\n`);
  if (mode !== 'too_early') {
    await Promise.all([appendForEver(store, Number(firstEntry), print), settleForEver(store, print)]);
    return;
  }
  for (let entry = 0; entry < CONTROL_ENTRY_COUNT; entry += 1) {
    void store.client.append(entryOfNumber(entry));
    print(`accepted ${entry} 0`);
  }
  process.kill(process.pid, 'SIGKILL');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.slice(2));
