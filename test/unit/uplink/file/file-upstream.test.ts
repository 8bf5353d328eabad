import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaneId } from '../../../../src/core/lane-log.ts';
import { fileError } from '../../../../src/uplink/file/file-errors.ts';
import { FileUpstream } from '../../../../src/uplink/file/file-upstream.ts';
import { readEventFiles } from '../../../support/event-files.ts';
import { storedRecords } from '../../../support/stored-record.ts';
import { GATEWAY, IDENTITY, upstreamParts } from '../../../support/uplink-options.ts';

const LANE: LaneId = { uplink: 'stick', stream: 'telemetry' };
const NEVER = new AbortController().signal;
const BOUNDS = { deadlineMs: 5_000, signal: NEVER };

describe('FileUpstream', () => {
  let parent: string;
  let directory: string;
  const opened: FileUpstream[] = [];

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'sluice-file-'));
    directory = join(parent, 'records');
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((upstream) => upstream.close({ deadlineMs: 1_000 })));
    rmSync(parent, { recursive: true, force: true });
  });

  function make(at = directory, gatewayId: string = GATEWAY): FileUpstream {
    const upstream = new FileUpstream({
      ...upstreamParts(),
      ...IDENTITY,
      gatewayId,
      directory: at,
      rotateBytes: 1 << 20,
    });
    opened.push(upstream);
    return upstream;
  }

  it('makes its directory when the one above is there', async () => {
    await make().open(NEVER);
    expect(existsSync(join(directory, GATEWAY))).toBe(true);
  });

  it('does not make the directories above: a stick that is not there is not a folder to be made', async () => {
    const opening = make(join(parent, 'media', 'stick', 'records')).open(NEVER);
    await expect(opening).rejects.toMatchObject({ code: 'file_enoent', retryable: true });
    expect(existsSync(join(parent, 'media'))).toBe(false);
  });

  it('says so when a part of the path is a file', async () => {
    writeFileSync(directory, 'not a directory');
    await expect(make().open(NEVER)).rejects.toMatchObject({ code: 'file_enotdir', retryable: true });
  });

  it('keeps gateways apart, and a name from leaving the directory', async () => {
    for (const gatewayId of ['..', 'a/../../b']) {
      const upstream = make(directory, gatewayId);
      await upstream.open(NEVER);
      await upstream.send(LANE, 0, storedRecords(1, 1), BOUNDS);
      await upstream.close({ deadlineMs: 1_000 });
    }
    expect(readEventFiles(directory, '_', 'telemetry')).toHaveLength(1);
    expect(readEventFiles(directory, 'a_.._.._b', 'telemetry')).toHaveLength(1);
    expect(existsSync(join(parent, 'b'))).toBe(false);
  });

  it('doubles and tears nothing over many restarts', async () => {
    for (let first = 1; first < 100; first += 9) {
      const upstream = make();
      await upstream.open(NEVER);
      expect((await upstream.position(LANE)) ?? 0).toBe(first - 1);
      await upstream.send(LANE, first - 1, storedRecords(first, 9), BOUNDS);
      await upstream.close({ deadlineMs: 1_000 });
    }
    const seqs = readEventFiles(directory, GATEWAY, 'telemetry').map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: 99 }, (_, index) => index + 1));
  });

  it('looks at the disk again after a write that was given up', async () => {
    const upstream = make();
    await upstream.open(NEVER);
    await upstream.send(LANE, 0, storedRecords(1, 3), BOUNDS);
    const controller = new AbortController();
    const sending = upstream.send(LANE, 3, storedRecords(4, 3), { deadlineMs: 5_000, signal: controller.signal });
    controller.abort();
    expect((await sending).error).not.toBeNull();
    await upstream.open(NEVER);
    const position = (await upstream.position(LANE)) ?? 0;
    await upstream.send(LANE, position, storedRecords(position + 1, 3), BOUNDS);
    const seqs = readEventFiles(directory, GATEWAY, 'telemetry').map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: position + 3 }, (_, index) => index + 1));
  });

  it('goes on in a new directory when its own was removed', async () => {
    const upstream = make();
    await upstream.open(NEVER);
    rmSync(join(directory, GATEWAY), { recursive: true });
    const outcome = await upstream.send(LANE, 0, storedRecords(1, 1), BOUNDS);
    expect(outcome).toMatchObject({ upTo: 0, error: { code: 'file_enoent', retryable: true } });
    await upstream.open(NEVER);
    expect((await upstream.send(LANE, 0, storedRecords(1, 1), BOUNDS)).error).toBeNull();
  });
});

describe('an error of a disk', () => {
  it.each(['ENOENT', 'EIO', 'ENOSPC', 'EACCES', 'EROFS', 'ENOTDIR', 'ENODEV'])(
    '%s is told in plain words with what to do, and is tried again',
    (code) => {
      const error = fileError('/media/stick', Object.assign(new Error(`${code}: low level words`), { code }));
      expect(error).toMatchObject({ code: `file_${code.toLowerCase()}`, retryable: true });
      expect(error.message).not.toContain(code);
      expect(error.hint).toBeTruthy();
    },
  );

  it('says of a read-only one what a service needs', () => {
    const error = fileError('/media/stick', Object.assign(new Error('read-only'), { code: 'EROFS' }));
    expect(error.hint).toContain('ReadWritePaths');
  });

  it('that nobody knows is tried again too', () => {
    expect(fileError('/media/stick', new Error('odd'))).toMatchObject({ code: 'file_failed', retryable: true });
  });
});
