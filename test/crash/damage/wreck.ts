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
/** What SQLite asks before it does anything [sqlite.org/fileformat2.html#the_database_header]. */
const HEAD_BYTES = 100;
/** Of both files. */
export const HEAD_BITS = 2 * 8 * HEAD_BYTES;
const OF_DATABASE = [
  'flip_bits',
  'flip_head',
  'overwrite_pages',
  'overwrite_start',
  'cut',
  'swap_wal',
  'delete',
  'delete_with_wal',
] as const;
const OF_WAL = ['flip_bits_of_wal', 'cut_wal', 'delete_wal'] as const;
const OF_COPY = ['flip_bits', 'overwrite_pages', 'cut', 'delete'] as const;
/** How often a run damages each. */
const FILES = ['log.db', 'log.db', 'log.db', 'state.db', 'state.db', 'state.db.good'] as const;

export type WreckKind = (typeof OF_DATABASE)[number] | (typeof OF_WAL)[number];

export interface Wreck {
  readonly kind: WreckKind;
  readonly file: (typeof FILES)[number];
}

/** Damages a file of a store in one way, and now and then another one with it. `oldDirectory`: the same store at an earlier time. */
export function wreck(dataDir: string, oldDirectory: string, random: SeededRandom): readonly Wreck[] {
  const files = new Set([pick(FILES, random)]);
  if (random.chance(0.25)) files.add(pick(FILES, random));
  return [...files].map((file) => wreckFile(file, { dataDir, oldDirectory, random }));
}

/** Damages the log that a salvage works on, in one way. Every earlier write-ahead log was that of another file. */
export function wreckLog(dataDir: string, random: SeededRandom): Wreck {
  return wreckFile('log.db', { dataDir, random });
}

/** For people. */
export function describeWrecks(wrecks: readonly Wreck[]): string {
  return wrecks.map(({ kind, file }) => `${kind} of ${file}`).join(' and ');
}

export function isOfWal({ kind }: Wreck): boolean {
  return kind === 'swap_wal' || OF_WAL.some((one) => one === kind);
}

interface Place {
  readonly dataDir: string;
  /** Without one no write-ahead log is exchanged. */
  readonly oldDirectory?: string;
  readonly random: SeededRandom;
}

function wreckFile(name: Wreck['file'], { dataDir, oldDirectory, random }: Place): Wreck {
  const database = join(dataDir, name);
  const wal = `${database}-wal`;
  const kinds: readonly WreckKind[] =
    name === 'state.db.good' ? OF_COPY : existsSync(wal) ? [...OF_DATABASE, ...OF_WAL] : OF_DATABASE;
  const kind = pick(
    kinds.filter((one) => one !== 'swap_wal' || oldDirectory !== undefined),
    random,
  );
  const file = OF_WAL.some((one) => one === kind) ? wal : database;
  switch (kind) {
    case 'flip_bits':
    case 'flip_bits_of_wal':
      for (let count = random.between(1, 20); count > 0; count -= 1) flipBit(file, random);
      break;
    case 'flip_head':
      for (let count = random.between(1, 3); count > 0; count -= 1)
        flipBitAt(file, random.between(0, 8 * HEAD_BYTES - 1));
      break;
    case 'overwrite_pages':
      for (let count = random.between(1, 8); count > 0; count -= 1) overwritePage(file, random);
      break;
    case 'overwrite_start':
      overwritePage(file, random, 0);
      for (let count = random.between(0, 29); count > 0; count -= 1) overwritePage(file, random);
      break;
    case 'cut':
    case 'cut_wal':
      truncateSync(file, random.between(0, statSync(file).size));
      break;
    case 'delete':
    case 'delete_wal':
      rmSync(file);
      break;
    case 'delete_with_wal':
      rmSync(database);
      rmSync(wal, { force: true });
      break;
    case 'swap_wal':
      copyFileSync(join(oldDirectory ?? '', `${name}-wal`), wal);
  }
  return { kind, file: name };
}

function pick<T>(from: readonly T[], random: SeededRandom): T {
  return from[random.between(0, from.length - 1)] as T;
}

/** Bits in the bodies of records alone: only their checksum can tell. */
export function flipBitsOfValues(dataDir: string, random: SeededRandom): void {
  const file = join(dataDir, 'log.db');
  for (let count = 400; count > 0; count -= 1) flipBit(file, random);
}

/** One of the first bits of `log.db` or, behind these, of `state.db`. */
export function flipBitOfHead(dataDir: string, index: number): Wreck {
  const file = index < HEAD_BITS / 2 ? 'log.db' : 'state.db';
  flipBitAt(join(dataDir, file), index % (HEAD_BITS / 2));
  return { kind: 'flip_head', file };
}

function flipBit(file: string, random: SeededRandom): void {
  const { size } = statSync(file);
  if (size > 0) flipBitAt(file, random.between(0, 8 * size - 1));
}

function flipBitAt(file: string, bit: number): void {
  const fd = openSync(file, 'r+');
  const at = Math.floor(bit / 8);
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8(0) ^ (1 << (bit % 8)));
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}

function overwritePage(file: string, random: SeededRandom, wanted?: number): void {
  const pages = Math.floor(statSync(file).size / PAGE_BYTES);
  if (pages === 0) return;
  const page = wanted ?? random.between(0, pages - 1);
  const fd = openSync(file, 'r+');
  const garbage = Buffer.from(Array.from({ length: PAGE_BYTES }, () => random.between(0, 255)));
  writeSync(fd, garbage, 0, PAGE_BYTES, page * PAGE_BYTES);
  closeSync(fd);
}
