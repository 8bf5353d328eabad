import { existsSync, readFileSync, statSync } from 'node:fs';

const SECTOR_BYTES = 512;
/** Of the statistics of a block device, its seventh field: sectors written. */
const SECTORS_WRITTEN = 6;

/** Bytes, since a moment that only the kernel knows: what counts is how they grow. */
export interface DiskWrites {
  /** What this process caused to be written (proc_pid_io(5)); null where the kernel does not say. */
  readonly processBytes: number | null;
  /** What all programs wrote to the device that holds the path; null where it is no block device, or the kernel does not say. */
  readonly deviceBytes: number | null;
}

/** `devices`: where the kernel shows block devices by their numbers. */
export function readDiskWrites(path: string, devices = '/sys/dev/block'): DiskWrites {
  return { processBytes: writtenBy('self'), deviceBytes: deviceBytes(path, devices) };
}

/** Bytes that the calling thread caused to be written; 0 where the kernel does not say. */
export function threadBytes(): number {
  return writtenBy('thread-self') ?? 0;
}

function writtenBy(task: 'self' | 'thread-self'): number | null {
  const line = /^write_bytes: (\d+)$/m.exec(read(`/proc/${task}/io`) ?? '');
  return line === null ? null : Number(line[1]);
}

/** Of a partition, those of the whole card: all of it wears. */
function deviceBytes(path: string, devices: string): number | null {
  const [major, minor] = deviceNumbers(statSync(path).dev);
  const device = `${devices}/${major}:${minor}`;
  const whole = existsSync(`${device}/partition`) ? `${device}/..` : device;
  const sectors = read(`${whole}/stat`)?.trim().split(/\s+/)[SECTORS_WRITTEN];
  return sectors === undefined ? null : Number(sectors) * SECTOR_BYTES;
}

/** Linux keeps the low 8 bits of the minor number, then 12 of the major, then the rest of the minor. */
function deviceNumbers(device: number): readonly [major: number, minor: number] {
  return [(device >>> 8) & 0xfff, (device & 0xff) | ((device >>> 12) & 0xfff00)];
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
