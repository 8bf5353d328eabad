import { Buffer } from 'node:buffer';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Seq } from '../../src/core/record.ts';
import { entryOfNumber, LANE, MAX_IN_FLIGHT, type Part } from '../support/append-until-killed.ts';
import { type OpenStore, openStore, storeDirectory } from '../support/open-store.ts';
import { SeededRandom } from '../support/random.ts';
import { waitFor } from '../support/wait-for.ts';

const SCRIPT = join(import.meta.dirname, '../support/append-until-killed.ts');
const ROUND_COUNT = 10;
const ENTRIES_PER_ROUND = 1_000_000;
const ALL = { maxRecords: 1_000_000, maxBytes: 2 ** 30 };

/** What the killed process had been promised. */
interface Promises {
  /** First seqs by entry. */
  readonly accepted: ReadonlyMap<number, Seq>;
  readonly settledUpTo: Seq;
}

/** What the store holds: by entry, the seqs of its records in their order. */
type Stored = ReadonlyMap<number, { readonly seqs: readonly Seq[]; readonly of: number }>;

function promisesIn(file: string): Promises {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  const words = lines.map((line) => line.split(' '));
  const numbers = (kind: string) => words.filter(([first]) => first === kind).map(([, ...rest]) => rest.map(Number));
  const accepted = numbers('accepted').map(([entry = -1, seq = -1]) => [entry, seq] as const);
  return { accepted: new Map(accepted), settledUpTo: Math.max(0, ...numbers('settled').map(([seq = -1]) => seq)) };
}

function storedIn({ reader }: OpenStore): Stored {
  const records = (['telemetry', 'events'] as const).flatMap((stream) => reader.read(stream, 0, ALL).records);
  const stored = new Map<number, { seqs: Seq[]; of: number }>();
  for (const { seq, value } of records.sort((a, b) => a.seq - b.seq)) {
    const { entry, of } = JSON.parse(Buffer.from(value).toString()) as Part;
    const known = stored.get(entry) ?? { seqs: [], of };
    known.seqs.push(seq);
    stored.set(entry, known);
  }
  return stored;
}

function lostOf({ accepted }: Promises, stored: Stored): number[] {
  return [...accepted.keys()].filter((entry) => stored.get(entry) === undefined);
}

function expectWhole(stored: Stored): void {
  for (const { seqs, of } of stored.values())
    expect(seqs).toEqual(Array.from({ length: of }, (_, index) => (seqs[0] ?? 0) + index));
}

async function expectCountsToAddUp({ client, reader }: OpenStore, settledUpTo: Seq): Promise<void> {
  const { streams, lanes, rejectsCount } = await client.stats();
  for (const { stream, acceptedCount, storedCount } of streams) {
    const count = reader.read(stream, 0, ALL).records.length;
    expect({ stream, acceptedCount, storedCount }).toEqual({ stream, acceptedCount: count, storedCount: count });
  }
  for (const lane of lanes) {
    expect(lane.cursor).toBeGreaterThanOrEqual(settledUpTo);
    expect(lane.acceptedCount).toBe(reader.read(lane.stream, 0, ALL).records.length);
    expect(lane.pendingCount).toBe(reader.read(lane.stream, lane.cursor, ALL).records.length);
    expect(lane.deliveredCount + lane.rejectedCount + lane.pendingCount).toBe(lane.acceptedCount);
    expect([lane.rejectedCount, lane.droppedCount]).toEqual([rejectsCount, 0]);
  }
}

describe('a store whose process is killed', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let file: string;
  let child: ChildProcess | undefined;
  let store: OpenStore | undefined;

  beforeEach(() => {
    directory = storeDirectory();
    file = join(directory.dataDir, 'promises.txt');
  });

  afterEach(async () => {
    child?.kill('SIGKILL');
    await store?.close();
    directory.remove();
  });

  const start = (...args: readonly string[]) => {
    writeFileSync(file, '');
    child = spawn(process.execPath, [SCRIPT, directory.dataDir, file, ...args], { stdio: 'inherit' });
    return once(child, 'exit');
  };

  /** Kills the process at the first moment after so many promises, and returns what it had been promised. */
  async function killAfter(acceptedCount: number, firstEntry: number): Promise<Promises> {
    const exit = start(String(firstEntry));
    const promisedEnough = () => promisesIn(file).accepted.size >= acceptedCount;
    await waitFor(promisedEnough, { what: `${acceptedCount} promises`, timeoutMs: 20_000, everyMs: 1 });
    child?.kill('SIGKILL');
    expect((await exit)[1]).toBe('SIGKILL');
    return promisesIn(file);
  }

  it('keeps every promise: all there, whole, under its seq, counted, and QoS 2 only once', async () => {
    const random = new SeededRandom(20_260_301);
    let lastSeq = 0;
    for (let round = 0; round < ROUND_COUNT; round += 1) {
      const firstEntry = round * ENTRIES_PER_ROUND;
      const promises = await killAfter(random.between(1, 1500), firstEntry);
      store = await openStore({ dataDir: directory.dataDir });
      const stored = storedIn(store);
      expect(lostOf(promises, stored)).toEqual([]);
      expectWhole(stored);
      for (const [entry, seq] of promises.accepted) expect(stored.get(entry)?.seqs[0]).toBe(seq);
      expect(Math.min(...promises.accepted.values())).toBeGreaterThan(lastSeq);
      await expectCountsToAddUp(store, promises.settledUpTo);

      const repeats = Array.from({ length: promises.accepted.size + MAX_IN_FLIGHT }, (_, index) => firstEntry + index);
      const { client } = store;
      const publish = (entry: number) => client.append(entryOfNumber(entry));
      await Promise.all(repeats.filter((entry) => entry % 2).map(publish));
      const repeated = storedIn(store);
      expectWhole(repeated);
      lastSeq = Math.max(...[...repeated.values()].flatMap(({ seqs }) => seqs));
      await expectCountsToAddUp(store, promises.settledUpTo);
      await store.close();
      store = undefined;
    }
    store = await openStore({ dataDir: directory.dataDir });
    const { lanes } = await store.client.stats();
    expect(lanes.map(({ uplink, stream }) => ({ uplink, stream }))).toEqual([LANE]);
    expect(lanes[0]?.deliveredCount).toBeGreaterThan(0);
  }, 120_000);

  it.each(['lock', 'state.db', 'state.db-wal', 'log.db', 'log.db-wal'])(
    'opens when it was killed while it made %s',
    async (name) => {
      const exit = start('0');
      const isThere = () => existsSync(join(directory.dataDir, name));
      await waitFor(isThere, { what: name, timeoutMs: 20_000, everyMs: 1 });
      child?.kill('SIGKILL');
      await exit;
      store = await openStore({ dataDir: directory.dataDir });
      expect(lostOf(promisesIn(file), storedIn(store))).toEqual([]);
      await store.client.append(entryOfNumber(9));
      expect(storedIn(store).get(9)?.seqs).toHaveLength(5);
    },
  );

  it('is seen to break promises that are made before the commit', async () => {
    await start('0', 'too_early');
    const promises = promisesIn(file);
    expect(promises.accepted.size).toBeGreaterThan(0);
    store = await openStore({ dataDir: directory.dataDir });
    expect(lostOf(promises, storedIn(store))).not.toEqual([]);
  });
});
