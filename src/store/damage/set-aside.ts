import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const PARTS = ['', '-wal'];

/** Where a damaged file of the store goes; one at most is kept of each, and what stood there before is removed. */
export function setAsideName(file: string): string {
  return `${file}.damaged`;
}

/** Moves the file with its write-ahead log, and syncs that. Nothing may have it open. */
export function setAside(file: string): void {
  const aside = setAsideName(file);
  for (const part of ['', '-wal', '-shm']) rmSync(`${aside}${part}`, { force: true });
  // The write-ahead log first: a new database must never find an old one.
  for (const part of PARTS.toReversed()) {
    if (existsSync(`${file}${part}`)) renameSync(`${file}${part}`, `${aside}${part}`);
  }
  if (!existsSync(aside)) writeFileSync(aside, '');
  rmSync(`${file}-shm`, { force: true });
  syncDirectory(dirname(file));
}

export function setAsideBytes(file: string): number {
  const sizes = PARTS.map((part) => statSync(`${setAsideName(file)}${part}`, { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size, 0);
}

export function removeSetAside(file: string): void {
  for (const part of ['', '-wal', '-shm']) rmSync(`${setAsideName(file)}${part}`, { force: true });
}

export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
