import { Promised } from './promised.ts';
import { type Operation, RecordedDisk } from './recorded-disk.ts';

/** Where the workload writes its promises down; no part of the disk, because whoever was promised is far away. */
export const PROMISES_FILE = 'promises';

/** Goes through a record: the disk, and what was promised so far. */
export class Replay {
  readonly disk = new RecordedDisk();
  readonly promised = new Promised();
  #promisesInode: bigint | undefined;

  follow(operation: Operation | undefined): void {
    if (operation === undefined) return;
    if (operation.kind === 'create' && operation.name === PROMISES_FILE) this.#promisesInode = operation.inode;
    else if (!('inode' in operation) || operation.inode !== this.#promisesInode) this.disk.apply(operation);
    else if (operation.kind === 'write') this.promised.read(operation.bytes);
  }
}
