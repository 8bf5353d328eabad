import type { Seq } from '../../../src/core/record.ts';
import type { Stream } from '../../../src/core/stream.ts';
import { entryOfNumber, type Part } from '../../support/append-until-killed.ts';
import { type OpenStore, openStore } from '../../support/open-store.ts';
import { countStore } from '../../support/verify.ts';
import { POWER_STORE, UPLINK } from './power-store.ts';
import type { Promised } from './promised.ts';

export interface CutVerdict {
  /** Promised records, devices, sessions and positions that are not there. */
  readonly lostCount: number;
  readonly openMs: number;
  /** In words, at most a few; losses among them. */
  readonly problems: readonly string[];
}

/** Opens the store of a directory after a power cut, as the gateway would, and looks for everything that was promised. */
export async function judgeCut(dataDir: string, promised: Promised): Promise<CutVerdict> {
  const startedAt = performance.now();
  let store: OpenStore;
  try {
    store = await openStore({ ...POWER_STORE, dataDir });
  } catch (error) {
    return { lostCount: promised.entries.size, openMs: 0, problems: [`the store does not open: ${String(error)}`] };
  }
  const openMs = performance.now() - startedAt;
  const lost = [
    ...lostRecords(store, promised, await cursorsOf(store)),
    ...(await lostState(store, promised)),
    ...(await lostPositions(store, promised)),
  ];
  const problems = await newSeqProblems(store, promised);
  await store.close();
  problems.push(...countStore(dataDir, { deep: true }).problems);
  return { lostCount: lost.length, openMs, problems: [...lost.slice(0, 3), ...problems] };
}

async function cursorsOf(store: OpenStore): Promise<ReadonlyMap<Stream, Seq>> {
  const { lanes } = await store.client.stats();
  return new Map(lanes.map(({ stream, cursor }) => [stream, cursor]));
}

/** What a limit may have taken is only what the lane had done with. */
function lostRecords(store: OpenStore, promised: Promised, cursors: ReadonlyMap<Stream, Seq>): string[] {
  const stored = { telemetry: readAll(store, 'telemetry'), events: readAll(store, 'events') };
  const oldest = { telemetry: Math.min(...stored.telemetry.keys()), events: Math.min(...stored.events.keys()) };
  const lost: string[] = [];
  for (const [entry, firstSeq] of promised.entries) {
    for (const [index, stream] of recordsOf(entry).entries()) {
      const seq = firstSeq + index;
      const part = stored[stream].get(seq);
      const isReclaimed = seq <= (cursors.get(stream) ?? 0) && seq < oldest[stream];
      const isRight = part?.entry === entry && part.index === index;
      if (part === undefined ? !isReclaimed : !isRight) lost.push(`record ${seq} of entry ${entry}`);
    }
  }
  return lost;
}

type RecordStream = 'telemetry' | 'events';

const streamsOfEntries = new Map<number, readonly RecordStream[]>();

/** The streams of its records, in their order. */
function recordsOf(entry: number): readonly RecordStream[] {
  const known = streamsOfEntries.get(entry);
  if (known !== undefined) return known;
  const built = entryOfNumber(entry);
  const streams = built.kind === 'records' ? built.records.map(({ stream }) => stream as RecordStream) : [];
  streamsOfEntries.set(entry, streams);
  return streams;
}

function readAll({ reader }: OpenStore, stream: Stream): Map<Seq, Part> {
  const found = new Map<Seq, Part>();
  for (let after = 0; ; ) {
    const { records, upTo } = reader.read(stream, after, { maxRecords: 10_000, maxBytes: 2 ** 24 });
    if (upTo === after) return found;
    for (const { seq, value } of records) found.set(seq, JSON.parse(Buffer.from(value).toString()) as Part);
    after = upTo;
  }
}

async function lostState({ client }: OpenStore, { devices, sessions }: Promised): Promise<string[]> {
  const hashes = new Map((await client.loadDevices()).map(({ id, secretHash }) => [id, secretHash]));
  const known = new Set((await client.loadSessions(0, 1_000_000)).map(({ id }) => id));
  return [
    ...devices.filter((id) => hashes.get(id) !== `hash-of-${id}`),
    ...sessions.filter((id) => !known.has(id)).map((id) => `session ${id}`),
  ];
}

/** A cursor that fell back would deliver again; one that ran ahead would never deliver. */
async function lostPositions(store: OpenStore, { settled, settling }: Promised): Promise<string[]> {
  const cursors = await cursorsOf(store);
  return [...settled].flatMap(([stream, upTo]) => {
    const cursor = cursors.get(stream) ?? 0;
    const isRight = cursor >= upTo && cursor <= (settling.get(stream) ?? 0);
    return isRight ? [] : [`${UPLINK}/${stream} stands at ${cursor}, promised was ${upTo}`];
  });
}

async function newSeqProblems({ client }: OpenStore, { entries }: Promised): Promise<string[]> {
  let highest = 0;
  for (const [entry, seq] of entries) highest = Math.max(highest, seq + recordsOf(entry).length - 1);
  const { firstSeq } = await client.append(entryOfNumber(1));
  return firstSeq > highest ? [] : [`seq ${firstSeq} was given out before`];
}
