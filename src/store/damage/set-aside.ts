import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isThere } from '../disk-reads.ts';

const PARTS = ['', '-wal'];

/** Where a damaged file of the store goes; one at most is kept of each, and what stood there before is removed. */
export function setAsideName(file: string): string {
  return `${file}.damaged`;
}

/** There is one, or was until it was set aside: the data directory is not new. */
export function hasLog(logFile: string): boolean {
  return [logFile, setAsideName(logFile)].some(isThere);
}

/** Moves the file with its write-ahead log, and syncs that. Nothing may have it open. */
export function setAside(file: string): void {
  removeSetAside(file);
  finishSettingAside(file);
}

/** A kill came between the two moves. */
export function isHalfSetAside(file: string): boolean {
  const aside = setAsideName(file);
  return isThere(`${aside}-wal`) && !isThere(aside);
}

/** Moves what is not moved yet. */
export function finishSettingAside(file: string): void {
  const aside = setAsideName(file);
  // The write-ahead log first: a new database must never find an old one.
  for (const part of PARTS.toReversed()) {
    const [from, to] = [`${file}${part}`, `${aside}${part}`];
    if (isThere(from) && !isThere(to)) renameSync(from, to);
  }
  if (!isThere(aside)) writeFileSync(aside, '');
  rmSync(`${file}-shm`, { force: true });
  syncDirectory(dirname(file));
}

export function setAsideBytes(file: string): number {
  const sizes = PARTS.map((part) => statSync(`${setAsideName(file)}${part}`, { throwIfNoEntry: false })?.size ?? 0);
  return sizes.reduce((sum, size) => sum + size, 0);
}

export function removeSetAside(file: string): void {
  removeDatabase(setAsideName(file));
}

export function removeDatabase(file: string): void {
  for (const part of ['', '-wal', '-shm']) rmSync(`${file}${part}`, { force: true });
}

/** What is set aside of several files. */
export class SetAside {
  readonly #files: readonly string[];

  constructor(files: readonly string[]) {
    this.#files = files;
  }

  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + setAsideBytes(file), 0);
  }

  remove(): void {
    for (const file of this.#files) removeSetAside(file);
  }
}

export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
