import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { codeOf } from '../../core/errors.ts';

export interface MatchingPath {
  readonly path: string;
  /** What the `*` stands for; undefined when there is none. */
  readonly port: string | undefined;
}

export function isPattern(path: string): boolean {
  return path.includes('*');
}

/** What is there now, in the order of the names; a plain path is itself, there or not. */
export async function matchingPaths(path: string): Promise<readonly MatchingPath[]> {
  if (!isPattern(path)) return [{ path, port: undefined }];
  const [prefix = '', suffix = ''] = basename(path).split('*');
  const directory = dirname(path);
  const fits = (name: string): boolean =>
    name.length >= prefix.length + suffix.length && name.startsWith(prefix) && name.endsWith(suffix);
  const names = (await namesIn(directory)).filter(fits).sort();
  return names.map((name) => ({
    path: join(directory, name),
    port: name.slice(prefix.length, name.length - suffix.length),
  }));
}

/** `/dev/serial/by-id` is there only while something is plugged in. */
async function namesIn(directory: string): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}
