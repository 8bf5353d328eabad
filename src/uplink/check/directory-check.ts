import { access, constants, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf, messageOf, SluiceError } from '../../core/errors.ts';
import { bounded } from '../bounded.ts';
import type { FileUplinkOptions } from '../options.ts';
import type { CheckContext, Report } from './report.ts';

const BOUNDS = { deadlineMs: 10_000, signal: new AbortController().signal };

/** Whether files can be written there, and whether there is room for them. Writes nothing. */
export async function checkDirectory(
  { directory, rotateBytes }: FileUplinkOptions,
  { dataDir }: CheckContext,
  report: Report,
): Promise<void> {
  const looking = existing(placesOf(directory, dataDir));
  const place = await bounded('looking at the directory', looking, BOUNDS).catch((error: unknown) => {
    report.fail('directory', directory, error);
  });
  if (place === undefined) return;
  try {
    await bounded('looking at the directory', access(place, constants.W_OK | constants.X_OK), BOUNDS);
    report.ok('directory', directory, place === directory ? 'is writable' : 'will be made');
    await checkSpace(place, rotateBytes, report);
  } catch (error) {
    report.fail('directory', directory, unwritable(place, error));
  }
}

async function checkSpace(place: string, rotateBytes: number, report: Report): Promise<void> {
  const { bavail, bsize } = await bounded('asking for the free space', statfs(place), BOUNDS);
  const freeMiB = Math.floor((bavail * bsize) / (1 << 20));
  if (bavail * bsize >= rotateBytes) report.ok('space', place, `${freeMiB} MiB are free`);
  else report.warn('space', place, `only ${freeMiB} MiB are free: less than one file`, 'make room there');
}

/** The directory itself, and the one above it, in which the uplink makes it; the data directory is made whole. */
function placesOf(directory: string, dataDir: string): readonly [string, ...string[]] {
  const places: [string, ...string[]] = [directory, dirname(directory)];
  for (let place = dataDir; dirname(directory) === dataDir && place !== dirname(place); place = dirname(place)) {
    places.push(dirname(place));
  }
  return places;
}

/** The first that is there. */
async function existing(places: readonly [string, ...string[]]): Promise<string> {
  for (const place of places) {
    const found = await stat(place).catch(() => undefined);
    if (found?.isDirectory() === true) return place;
    if (found !== undefined) {
      throw new SluiceError(`${place} is not a directory`, { code: 'directory', hint: 'name another directory' });
    }
  }
  throw new SluiceError(`neither it nor ${dirname(places[0])} exists`, {
    code: 'directory',
    hint: 'make the directory, or mount the disk that has it',
  });
}

function unwritable(place: string, cause: unknown): SluiceError {
  const code = codeOf(cause);
  const message = code === 'EACCES' ? 'may not be written by this user' : `cannot be written: ${messageOf(cause)}`;
  const hint = code === 'EACCES' ? 'change its owner, or run this as the user of the gateway' : 'mount it for writing';
  return new SluiceError(`${place} ${message}`, { code: 'directory', hint, cause });
}
