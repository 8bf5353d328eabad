/** Writes batches of a file uplink until it fails; run as a program: directory. Prints what the last send said. */

import type { Outcome } from '../../src/core/upstream.ts';
import { FileUpstream } from '../../src/uplink/file/file-upstream.ts';
import { storedRecords } from './stored-record.ts';
import { IDENTITY, upstreamParts } from './uplink-options.ts';

const BATCH_COUNT = 10;
const signal = new AbortController().signal;
const [directory = ''] = process.argv.slice(2);
const upstream = new FileUpstream({ ...upstreamParts(), ...IDENTITY, directory, rotateBytes: 1 << 30 });
await upstream.open(signal);
let outcome: Outcome = { upTo: 0, rejected: [], error: null };
while (outcome.error === null && outcome.upTo < 100_000) {
  const records = storedRecords(outcome.upTo + 1, BATCH_COUNT);
  const lane = { uplink: 'stick', stream: 'telemetry' } as const;
  outcome = await upstream.send(lane, outcome.upTo, records, { deadlineMs: 10_000, signal });
}
await upstream.close({ deadlineMs: 1_000 });
process.stdout.write(
  JSON.stringify({ upTo: outcome.upTo, code: outcome.error?.code, retryable: outcome.error?.retryable }),
);
