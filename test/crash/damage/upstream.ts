import { join } from 'node:path';
import type { Gap } from '../../../src/core/gap.ts';
import type { Seq } from '../../../src/core/record.ts';
import { STREAMS, type Stream } from '../../../src/core/stream.ts';
import { readEventFiles } from '../../support/event-files.ts';
import type { GatewayProcess } from '../../support/gateway-process.ts';
import { type Ledger, parseRecordId } from '../../support/ledger.ts';
import { readRejected } from './before.ts';
import { recordName, type Told } from './told.ts';

export interface Arrived {
  readonly stream: Stream;
  readonly seq: Seq;
  readonly text: string;
}

const GATEWAY = 'test-gateway';
const VALUE = /^\{"id":"([^"]+)","value":(\d+)\} *$/;

/** All that a file uplink with the directory `upstream` has delivered. */
export function readArrivals(gateway: GatewayProcess): Arrived[] {
  const directory = join(gateway.directory, 'upstream');
  return STREAMS.flatMap((stream) =>
    readEventFiles(directory, GATEWAY, stream).map(({ seq, value }) => ({ stream, seq, text: value.toString() })),
  );
}

export function namesOf(arrived: readonly Arrived[]): ReadonlySet<string> {
  return new Set(arrived.map(({ stream, seq }) => recordName(stream, seq)));
}

/** As its sender gave it. */
export function idOf({ text }: Arrived): string | undefined {
  return VALUE.exec(text)?.[1];
}

/** Records that no sender sent like that. */
export function wrongAmong(arrived: readonly Arrived[], ledgers: readonly Ledger[]): Arrived[] {
  const byDevice = new Map(ledgers.map((ledger) => [ledger.device, ledger]));
  return arrived.filter(({ stream, text }) => {
    if (stream === 'gaps') return false;
    const [, id = '', value] = VALUE.exec(text) ?? [];
    const { device = '', number = 0 } = parseRecordId(id) ?? {};
    const sentCount = byDevice.get(device)?.sentCount ?? 0;
    return number < 1 || number > sentCount || Number(value) !== number % 100;
  });
}

/** Gaps of a damage stand behind `lastSeq`, the last of all streams before it. */
export function toldOf(
  arrived: readonly Arrived[],
  { dataDir, lastSeq, before }: { dataDir: string; lastSeq: Seq; before: ReadonlySet<string> },
): Told {
  const gaps = new Map(arrived.filter(({ stream }) => stream === 'gaps').map(({ seq, text }) => [seq, text]));
  const gapsWhere = (isWanted: (seq: Seq) => boolean): Gap[] =>
    [...gaps].filter(([seq]) => isWanted(seq)).map(([, text]) => JSON.parse(text) as Gap);
  return {
    arrived: namesOf(arrived),
    arrivedBefore: before,
    rejected: new Set(readRejected(dataDir).map(({ stream, seq }) => recordName(stream, seq))),
    gaps: gapsWhere((seq) => seq > lastSeq),
    gapsBefore: gapsWhere((seq) => seq <= lastSeq),
  };
}
