import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileUpstream } from '../../src/uplink/file/file-upstream.ts';
import { eventFiles, readEventFiles } from '../support/event-files.ts';
import { storedRecords } from '../support/stored-record.ts';
import { GATEWAY, IDENTITY, upstreamParts } from '../support/uplink-options.ts';

const WRITER = join(import.meta.dirname, '../support/file-writer.ts');
const LANE = { uplink: 'stick', stream: 'telemetry' } as const;
const signal = new AbortController().signal;

describe('a file uplink whose disk takes no more in the middle of a batch', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-full-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('has confirmed only what is there, and goes on without doubling or tearing a line', async () => {
    // The limit of file size, in KiB, cuts a write short as a full disk does.
    const run = spawnSync('bash', ['-c', 'ulimit -f 50; exec "$0" "$@"', process.execPath, WRITER, directory], {
      encoding: 'utf8',
    });
    const { upTo, code, retryable } = JSON.parse(run.stdout) as { upTo: number; code: string; retryable: boolean };
    expect({ code, retryable }).toEqual({ code: 'file_efbig', retryable: true });
    expect(upTo).toBeGreaterThan(100);
    const [file = ''] = eventFiles(directory, GATEWAY, 'telemetry');
    expect(readFileSync(file, 'utf8').endsWith('\n')).toBe(false);

    const upstream = new FileUpstream({ ...upstreamParts(), ...IDENTITY, directory, rotateBytes: 1 << 30 });
    await upstream.open(signal);
    const position = (await upstream.position(LANE)) ?? 0;
    expect(position).toBeGreaterThanOrEqual(upTo);
    await upstream.send(LANE, position, storedRecords(position + 1, 10), { deadlineMs: 10_000, signal });
    await upstream.close({ deadlineMs: 1_000 });
    const seqs = readEventFiles(directory, GATEWAY, 'telemetry').map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: position + 10 }, (_, index) => index + 1));
  });
});
