import { Buffer } from 'node:buffer';
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from '../../support/random.ts';

const PAGE_BYTES = 4096;
const DATABASES = ['log.db', 'log.db', 'state.db'] as const;
const OF_DATABASE = ['flip_bits', 'overwrite_pages', 'cut', 'swap_wal'] as const;
const OF_WAL = ['flip_bits_of_wal', 'cut_wal', 'delete_wal'] as const;

export type WreckKind = (typeof OF_DATABASE)[number] | (typeof OF_WAL)[number];

export interface Wreck {
  readonly kind: WreckKind;
  readonly file: string;
}

/** Damages one file of a store in one way. `oldDirectory`: the same store at an earlier time. */
export function wreck(dataDir: string, oldDirectory: string, random: SeededRandom): Wreck {
  const name = DATABASES[random.between(0, DATABASES.length - 1)] ?? 'log.db';
  const database = join(dataDir, name);
  const wal = `${database}-wal`;
  const kinds: readonly WreckKind[] = existsSync(wal) ? [...OF_DATABASE, ...OF_WAL] : OF_DATABASE;
  const kind = kinds[random.between(0, kinds.length - 1)] ?? 'cut';
  const file = kind.endsWith('wal') ? wal : database;
  switch (kind) {
    case 'flip_bits':
    case 'flip_bits_of_wal':
      for (let count = random.between(1, 20); count > 0; count -= 1) flipBit(file, random);
      break;
    case 'overwrite_pages':
      for (let count = random.between(1, 8); count > 0; count -= 1) overwritePage(file, random);
      break;
    case 'cut':
    case 'cut_wal':
      truncateSync(file, random.between(0, statSync(file).size));
      break;
    case 'delete_wal':
      rmSync(wal, { force: true });
      break;
    case 'swap_wal':
      copyFileSync(join(oldDirectory, `${name}-wal`), wal);
  }
  return { kind, file: name };
}

/** Bits in the bodies of records alone: only their checksum can tell. */
export function flipBitsOfValues(dataDir: string, random: SeededRandom): void {
  const file = join(dataDir, 'log.db');
  for (let count = 400; count > 0; count -= 1) flipBit(file, random);
}

function flipBit(file: string, random: SeededRandom): void {
  const { size } = statSync(file);
  if (size === 0) return;
  const fd = openSync(file, 'r+');
  const at = random.between(0, size - 1);
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8(0) ^ (1 << random.between(0, 7)));
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}

function overwritePage(file: string, random: SeededRandom): void {
  const pages = Math.floor(statSync(file).size / PAGE_BYTES);
  if (pages === 0) return;
  const fd = openSync(file, 'r+');
  const garbage = Buffer.from(Array.from({ length: PAGE_BYTES }, () => random.between(0, 255)));
  writeSync(fd, garbage, 0, PAGE_BYTES, random.between(0, pages - 1) * PAGE_BYTES);
  closeSync(fd);
}
