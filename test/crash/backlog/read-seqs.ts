/** The seqs of millions of records, one after the other: of those in a topic, and of those in the files of a gateway. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import type { Seq } from '../../../src/core/record.ts';
import { seqOfEventId } from '../../support/uplink-options.ts';
import type { SeqArrival } from './seq-judge.ts';

/** For millions of records. */
const KCAT_MS = 30 * 60_000;
const CE_ID = /(?:^|,)ce_id=([^,]*)/;

/** By partition and offset, from the beginning of the topic to its present end; read by kcat. */
export async function* arrivedSeqs(bootstrap: string, topic: string): AsyncGenerator<SeqArrival> {
  const args = ['-C', '-b', bootstrap, '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%p %h\\n'];
  const kcat = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: KCAT_MS });
  const closed = once(kcat, 'close');
  try {
    for await (const line of createInterface({ input: kcat.stdout })) {
      const space = line.indexOf(' ');
      yield { partition: Number(line.slice(0, space)), seq: seqOfEventId(CE_ID.exec(line.slice(space + 1))?.[1]) };
    }
    const [code] = (await closed) as [number | null];
    if (code !== 0) throw new Error(`kcat could not read ${topic}`);
  } finally {
    kcat.kill();
  }
}

/** Of telemetry; the gateway does not run. */
export function* storedSeqs(dataDir: string): Generator<Seq> {
  const db = new Database(join(dataDir, 'log.db'), { readonly: true, fileMustExist: true });
  try {
    yield* db.prepare<[], Seq>('SELECT seq FROM telemetry').pluck().iterate();
  } finally {
    db.close();
  }
}
