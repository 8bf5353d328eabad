import {
  closeSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readDiskWrites } from '../../../src/platform/disk-writes.ts';

const BYTES = 1024 * 1024;
// Not below tmpdir(), which is memory on some systems.
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(import.meta.dirname, '.disk-writes-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('what is written to the disk', () => {
  it('grows by what this process writes, and for its device by no less', () => {
    const before = readDiskWrites(directory);
    const file = openSync(join(directory, 'file'), 'w');
    writeSync(file, Buffer.alloc(BYTES, 1));
    fsyncSync(file);
    closeSync(file);
    const after = readDiskWrites(directory);
    expect((after.processBytes ?? 0) - (before.processBytes ?? 0)).toBeGreaterThanOrEqual(BYTES);
    // On a file system without a block device nothing is said.
    if (before.deviceBytes === null) expect(after.deviceBytes).toBeNull();
    else expect((after.deviceBytes ?? 0) - before.deviceBytes).toBeGreaterThanOrEqual(BYTES);
  });

  it('is that of the whole card where the path is on a partition of it', () => {
    const statistics = (sectors: number): string => `1 0 8 1 2 0 ${sectors} 1 0 1 1`;
    const partition = join(directory, 'mmcblk0', 'mmcblk0p2');
    mkdirSync(partition, { recursive: true });
    writeFileSync(join(partition, '..', 'stat'), statistics(300));
    writeFileSync(join(partition, 'stat'), statistics(100));
    writeFileSync(join(partition, 'partition'), '2');
    const { dev } = statSync(directory);
    symlinkSync(partition, join(directory, `${dev >>> 8}:${dev & 0xff}`));
    expect(readDiskWrites(directory, directory).deviceBytes).toBe(300 * 512);
  });

  it('is not said of a device where the path is on none', () => {
    expect(readDiskWrites('/proc').deviceBytes).toBeNull();
  });
});
