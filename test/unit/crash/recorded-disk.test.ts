import { Buffer } from 'node:buffer';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordWorkload } from '../../crash/power/power.ts';
import { type Operation, RecordedDisk, readOperations } from '../../crash/power/recorded-disk.ts';
import { SeededRandom } from '../../support/random.ts';

const INODE = 7n;
const create: Operation = { kind: 'create', inode: INODE, name: 'a' };
const sync: Operation = { kind: 'sync', inode: INODE };
const syncNames: Operation = { kind: 'sync_dir' };
const write = (offset: number, text: string): Operation => ({
  kind: 'write',
  inode: INODE,
  offset,
  bytes: Buffer.from(text),
});

/** All that cuts at this point may leave of the file. */
function outcomes(disk: RecordedDisk): Set<string> {
  const random = new SeededRandom(1);
  const cuts = Array.from({ length: 500 }, () => disk.afterCut(() => random.next()).get('a'));
  return new Set(cuts.map((content) => content?.toString() ?? 'no file'));
}

function diskAfter(...operations: readonly Operation[]): RecordedDisk {
  const disk = new RecordedDisk();
  for (const operation of operations) disk.apply(operation);
  return disk;
}

describe('a disk after a power cut', () => {
  it('holds what was synced, under a name that was synced', () => {
    expect(outcomes(diskAfter(create, write(0, 'old'), sync, syncNames))).toEqual(new Set(['old']));
  });

  it('may lack a file whose name was not synced', () => {
    expect(outcomes(diskAfter(create, write(0, 'old'), sync))).toEqual(new Set(['old', 'no file']));
  });

  it('may hold any state of a sector since the last sync', () => {
    const disk = diskAfter(create, write(0, 'aa'), sync, syncNames, write(0, 'b'), write(1, 'b'));
    expect(outcomes(disk)).toEqual(new Set(['aa', 'ba', 'bb']));
  });

  it('may hold later sectors without earlier ones, and a part of one write', () => {
    const [a, b] = ['a'.repeat(512), 'b'.repeat(512)];
    const disk = diskAfter(create, write(0, a + a), sync, syncNames, write(0, b + b));
    expect(outcomes(disk)).toEqual(new Set([a + a, a + b, b + a, b + b]));
  });

  it('may hold any size that a file had since the last sync', () => {
    const shorter: Operation = { kind: 'truncate', inode: INODE, size: 1 };
    const disk = diskAfter(create, write(0, 'abc'), sync, syncNames, shorter, write(1, 'zz'));
    const sizes = [...outcomes(disk)].map((content) => content.length);
    expect(new Set(sizes)).toEqual(new Set([1, 3]));
  });

  it('holds a file that was cut off as a whole or not at all, and of what was written behind that only then anything', () => {
    const [a, b] = ['a'.repeat(512), 'b'.repeat(512)];
    const empty: Operation = { kind: 'truncate', inode: INODE, size: 0 };
    const cut = diskAfter(create, write(0, a + a + a), sync, syncNames, empty);
    expect(outcomes(cut)).toEqual(new Set([a + a + a, '']));
    const written = diskAfter(create, write(0, a + a), sync, syncNames, empty, write(0, b));
    expect(outcomes(written)).toEqual(new Set([a + a, '', b, '\0'.repeat(512)]));
  });

  it('does not mix up files that had the same inode one after the other', () => {
    const disk = diskAfter(create, write(0, 'old'), sync, { kind: 'unlink', name: 'a' }, create, sync, syncNames);
    expect(outcomes(disk)).toEqual(new Set(['']));
  });

  it('takes over a new name only as a whole', () => {
    const replacement = 8n;
    const disk = diskAfter(
      create,
      write(0, 'old'),
      sync,
      syncNames,
      { kind: 'create', inode: replacement, name: 'b' },
      { kind: 'write', inode: replacement, offset: 0, bytes: Buffer.from('new') },
      { kind: 'sync', inode: replacement },
      { kind: 'rename', from: 'b', to: 'a' },
    );
    expect(outcomes(disk)).toEqual(new Set(['old', 'new']));
  });
});

describe('the record of a store', () => {
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-record-'));
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('holds every change: replayed as a whole it gives the files byte for byte', () => {
    const disk = new RecordedDisk();
    for (const operation of readOperations(recordWorkload(directory, { seed: 1, control: false }))) {
      disk.apply(operation);
    }
    const dataDir = join(directory, 'data');
    const names = readdirSync(dataDir).filter((name) => !name.endsWith('-shm'));
    const replayed = disk.whole();
    expect(new Set(replayed.keys())).toEqual(new Set(names));
    for (const name of names) expect(replayed.get(name)?.equals(readFileSync(join(dataDir, name)))).toBe(true);
  });
});
