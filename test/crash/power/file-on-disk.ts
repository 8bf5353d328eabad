import { Buffer } from 'node:buffer';

/** What a disk writes as a whole or not at all. */
export const SECTOR_BYTES = 512;

/** Bytes written at `offset`, or with null a new size. */
export interface Change {
  readonly offset: number;
  readonly bytes: Buffer | null;
}

/** How much of what was not synced a cut leaves: nothing, all, each sector by chance, or all up to one that is torn. */
type Mode = 'nothing' | 'all' | 'some' | 'up_to';

const MODES: readonly Mode[] = ['nothing', 'all', 'some', 'some', 'up_to'];

/** One file: what is on the disk for certain, and what was done to it since. */
export class FileOnDisk {
  #durable: Buffer = Buffer.alloc(0);
  #pending: Change[] = [];

  change(change: Change): void {
    this.#pending.push(change);
  }

  sync(): void {
    this.#durable = this.whole();
    this.#pending = [];
  }

  whole(): Buffer {
    const size = this.#sizeAfter(this.#pending.length);
    const content = this.#room(size);
    for (const change of this.#pending) write(content, change);
    return Buffer.from(content.subarray(0, size));
  }

  /** See RecordedDisk.afterCut. */
  afterCut(random: () => number): Buffer {
    const mode = MODES[Math.floor(random() * MODES.length)] ?? 'some';
    const count = this.#pending.length;
    if (mode === 'all' || count === 0) return this.whole();
    if (mode === 'nothing') return Buffer.from(this.#durable);
    const last = Math.floor(random() * count);
    const chance = [0.1, 0.5, 0.9][Math.floor(random() * 3)] ?? 0.5;
    // Of the changes of its size these are on the disk, in their order.
    const sizedBy = mode === 'up_to' ? last + 1 : Math.floor(random() * (count + 1));
    const size = this.#sizeAfter(sizedBy);
    const content = this.#room(size);
    for (const [sector, touching] of this.#bySector()) {
      const changes = this.#possible(touching, sizedBy);
      const applied = mode === 'up_to' ? changesUpTo(changes, last, random) : changesByChance(changes, chance, random);
      this.#writeSector(content, sector, this.#cutBy(touching, sizedBy));
      for (const index of applied) this.#writeSector(content, sector, index);
    }
    return Buffer.from(content.subarray(0, size));
  }

  #sizeAfter(count: number): number {
    let size = this.#durable.length;
    for (const { offset, bytes } of this.#pending.slice(0, count)) {
      size = bytes === null ? offset : Math.max(size, offset + bytes.length);
    }
    return size;
  }

  /** The durable content, with zeros behind it for whatever any pending change may write. */
  #room(size: number): Buffer {
    const content = Buffer.alloc(Math.max(size, this.#end()));
    this.#durable.copy(content);
    return content;
  }

  /** Behind the last byte that the file ever had since the last sync. */
  #end(): number {
    const ends = this.#pending.map(({ offset, bytes }) => offset + (bytes?.length ?? 0));
    return ends.reduce((most, end) => Math.max(most, end), this.#durable.length);
  }

  /** For each sector that was touched, which changes did, in their order. */
  #bySector(): Map<number, number[]> {
    const found = new Map<number, number[]>();
    const fileEnd = this.#end();
    for (const [index, { offset, bytes }] of this.#pending.entries()) {
      const end = bytes === null ? fileEnd : offset + bytes.length;
      for (let sector = Math.floor(offset / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector += 1) {
        const changes = found.get(sector);
        if (changes === undefined) found.set(sector, [index]);
        else changes.push(index);
      }
    }
    return found;
  }

  /** A file is cut off as a whole or not at all: what was written before is gone then, and else what was written behind. */
  #possible(touching: readonly number[], sizedBy: number): readonly number[] {
    const next = touching.find((index) => this.#isCut(index) && index >= sizedBy);
    const last = this.#cutBy(touching, sizedBy) ?? -1;
    return touching.filter((index) => index > last && index < (next ?? Number.POSITIVE_INFINITY));
  }

  /** The last change that cut the sector off and is on the disk. */
  #cutBy(touching: readonly number[], sizedBy: number): number | undefined {
    return touching.findLast((index) => this.#isCut(index) && index < sizedBy);
  }

  #isCut(index: number): boolean {
    return this.#pending[index]?.bytes === null;
  }

  #writeSector(content: Buffer, sector: number, index: number | undefined): void {
    const change = this.#pending[index ?? -1];
    if (change === undefined) return;
    const from = Math.max(change.offset, sector * SECTOR_BYTES);
    const to = (sector + 1) * SECTOR_BYTES;
    if (change.bytes === null) content.fill(0, from, Math.min(to, content.length));
    else change.bytes.copy(content, from, from - change.offset, to - change.offset);
  }
}

function write(content: Buffer, { offset, bytes }: Change): void {
  if (bytes === null) content.fill(0, offset);
  else bytes.copy(content, offset);
}

/** A sector is as it was after one of the changes: what came later in memory never lacks what came before. */
function changesByChance(changes: readonly number[], chance: number, random: () => number): readonly number[] {
  if (random() < chance) return changes;
  return changes.slice(0, Math.floor(random() * (changes.length + 1)));
}

/** All that came before `last`; of that one, some sectors. */
function changesUpTo(changes: readonly number[], last: number, random: () => number): readonly number[] {
  return changes.filter((index) => index < last || (index === last && random() < 0.5));
}
