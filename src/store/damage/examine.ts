import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { SqliteLogReader } from '../log/reader.ts';
import { LOG_NOTES } from '../notes.ts';
import { batchesOf } from './every-record.ts';
import { examineLog } from './examine-log.ts';
import { examineState } from './examine-state.ts';
import type { Finding } from './finding.ts';
import { isSalvageUnfinished, readMeta } from './read-meta.ts';
import { hasLog, setAsideBytes, setAsideName } from './set-aside.ts';

export interface Examination {
  readonly findings: readonly Finding[];
  /** Intact records per stream; undefined when that cannot be read. */
  readonly records: Readonly<Partial<Record<Stream, number>>>;
}

/**
 * Looks at both files from their beginning to their end, and asks what a start asks; changes nothing, and disturbs no gateway
 * that runs.
 */
export function examineStore(dataDir: string): Examination {
  const [logFile, stateFile] = [join(dataDir, 'log.db'), join(dataDir, 'state.db')];
  const state = examineState(stateFile, hasLog(logFile), Number(readMeta(logFile, LOG_NOTES.stateGeneration) ?? 0));
  const log = examineLog(logFile, state.notes);
  const findings = [
    ...orGood(stateFile, state.findings),
    ...examineSetAside(stateFile, { isNeeded: false }),
    ...orGood(logFile, log),
    ...examineSetAside(logFile, { isNeeded: isSalvageUnfinished(logFile, stateFile) }),
  ];
  const isReadable = log.length === 0 && existsSync(logFile);
  const { records, damaged } = isReadable ? countRecords(logFile) : { records: {}, damaged: 0 };
  if (damaged > 0) {
    const text = `the checksums of ${damaged} records do not hold: they are never sent, but kept among the rejects`;
    findings.push({ file: logFile, kind: 'note', text });
  }
  return { findings, records };
}

function orGood(file: string, findings: readonly Finding[]): readonly Finding[] {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (findings.length > 0 || size === undefined) return findings;
  return [{ file, kind: 'good', text: `${size} bytes, whole` }];
}

function examineSetAside(original: string, { isNeeded }: { readonly isNeeded: boolean }): Finding[] {
  const [file, bytes] = [setAsideName(original), setAsideBytes(original)];
  if (isNeeded && !existsSync(file)) {
    return [{ file, kind: 'repair', text: 'it is gone, and with it what was not yet put back of it' }];
  }
  if (isNeeded) {
    const text = `${bytes} bytes of an earlier damage; not all of it is put back yet: leave it there`;
    return [{ file, kind: 'repair', text }];
  }
  return bytes === 0 ? [] : [{ file, kind: 'note', text: `${bytes} bytes of an earlier damage; it may be removed` }];
}

function countRecords(file: string): { records: Record<Stream, number>; damaged: number } {
  let damaged = 0;
  const reader = SqliteLogReader.looking(file);
  const counts = STREAMS.map((stream) => {
    let count = 0;
    for (const batch of batchesOf(reader, stream)) {
      count += batch.records.length;
      damaged += batch.damaged.length;
    }
    return [stream, count] as const;
  });
  reader.close();
  return { records: Object.fromEntries(counts) as Record<Stream, number>, damaged };
}
