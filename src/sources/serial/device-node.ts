import { stat } from 'node:fs/promises';
import { codeOf } from '../../core/errors.ts';

/**
 * What stands at the path now, so that a device that was plugged in again under the same name is told from the one
 * before; undefined when nothing does.
 */
export async function nodeAt(path: string): Promise<string | undefined> {
  try {
    const { dev, ino, rdev } = await stat(path);
    return `${dev} ${ino} ${rdev}`;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
