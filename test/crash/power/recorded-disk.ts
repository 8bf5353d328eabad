import type { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { type Change, FileOnDisk } from './file-on-disk.ts';

/** What a disk is asked to do; test/crash/shim/disk.c says the same for its entries. */
export type Operation =
  | { readonly kind: 'write'; readonly inode: bigint; readonly offset: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly inode: bigint; readonly size: number }
  | { readonly kind: 'sync'; readonly inode: bigint }
  | { readonly kind: 'create'; readonly inode: bigint; readonly name: string }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string }
  | { readonly kind: 'sync_dir' };

type NameChange =
  | { readonly kind: 'create'; readonly name: string; readonly file: FileOnDisk }
  | Extract<Operation, { kind: 'unlink' | 'rename' }>;

const HEADER_BYTES = 21;

export function* readOperations(recordFile: string): Generator<Operation> {
  const record = readFileSync(recordFile);
  for (let at = 0; at < record.length; ) {
    const end = at + HEADER_BYTES + record.readUInt32LE(at + 17);
    yield operationOf(record, at, end);
    at = end;
  }
}

function operationOf(record: Buffer, at: number, end: number): Operation {
  const inode = record.readBigUInt64LE(at + 1);
  const offset = Number(record.readBigUInt64LE(at + 9));
  const bytes = record.subarray(at + HEADER_BYTES, end);
  const kind = record.readUInt8(at);
  switch (kind) {
    case 1:
      return { kind: 'write', inode, offset, bytes };
    case 2:
      return { kind: 'truncate', inode, size: offset };
    case 3:
      return { kind: 'sync', inode };
    case 4:
      return { kind: 'create', inode, name: bytes.toString() };
    case 5:
      return { kind: 'unlink', name: bytes.toString() };
    case 6: {
      const [from = '', to = ''] = bytes.toString().split('\0');
      return { kind: 'rename', from, to };
    }
    case 7:
      return { kind: 'sync_dir' };
    default:
      throw new Error(`an entry of kind ${kind} at ${at}`);
  }
}

/**
 * One directory as the program sees it, and as it would be after a power cut: what was synced is there; of what was
 * not, any part is, sector by sector, in any order, with any of the sizes that the file had since. Names change in
 * their order, and for certain only with a sync of the directory.
 */
export class RecordedDisk {
  /** An inode is given to another file once it is free: the last one counts. */
  readonly #files = new Map<bigint, FileOnDisk>();
  #durableNames = new Map<string, FileOnDisk>();
  #pendingNames: NameChange[] = [];

  apply(operation: Operation): void {
    switch (operation.kind) {
      case 'write':
      case 'truncate':
        this.#file(operation.inode).change(changeOf(operation));
        break;
      case 'sync':
        this.#file(operation.inode).sync();
        break;
      case 'sync_dir':
        this.#durableNames = this.#namesAfter(this.#pendingNames.length);
        this.#pendingNames = [];
        break;
      case 'create':
        this.#pendingNames.push({ kind: 'create', name: operation.name, file: this.#begin(operation.inode) });
        break;
      default:
        this.#pendingNames.push(operation);
    }
  }

  /** As the program sees it. */
  whole(): Map<string, Buffer> {
    return this.#contents(this.#pendingNames.length, (file) => file.whole());
  }

  /** As it would be after a power cut now. `random` gives numbers in [0, 1). */
  afterCut(random: () => number): Map<string, Buffer> {
    const nameCount = Math.floor(random() * (this.#pendingNames.length + 1));
    return this.#contents(nameCount, (file) => file.afterCut(random));
  }

  #file(inode: bigint): FileOnDisk {
    return this.#files.get(inode) ?? this.#begin(inode);
  }

  #begin(inode: bigint): FileOnDisk {
    const file = new FileOnDisk();
    this.#files.set(inode, file);
    return file;
  }

  #contents(nameCount: number, contentOf: (file: FileOnDisk) => Buffer): Map<string, Buffer> {
    const names = this.#namesAfter(nameCount);
    return new Map([...names].map(([name, file]) => [name, contentOf(file)]));
  }

  #namesAfter(count: number): Map<string, FileOnDisk> {
    const names = new Map(this.#durableNames);
    for (const change of this.#pendingNames.slice(0, count)) {
      if (change.kind === 'create') names.set(change.name, change.file);
      else if (change.kind === 'unlink') names.delete(change.name);
      else {
        const file = names.get(change.from);
        names.delete(change.from);
        if (file !== undefined) names.set(change.to, file);
      }
    }
    return names;
  }
}

function changeOf(operation: Extract<Operation, { kind: 'write' | 'truncate' }>): Change {
  return operation.kind === 'write'
    ? { offset: operation.offset, bytes: operation.bytes }
    : { offset: operation.size, bytes: null };
}
