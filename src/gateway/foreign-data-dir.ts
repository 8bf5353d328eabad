import { statSync } from 'node:fs';
import process from 'node:process';
import { SluiceError } from '../core/errors.ts';

/**
 * Files that root makes there could not be written by the gateway, which runs as somebody else.
 * @throws SluiceError `foreign_data_dir`
 */
export function refuseForeign(dataDir: string, uid: number | undefined = process.getuid?.()): void {
  const owner = statSync(dataDir, { throwIfNoEntry: false })?.uid;
  if (owner === undefined || owner === uid) return;
  throw new SluiceError(`the data directory ${dataDir} belongs to another user (uid ${owner})`, {
    code: 'foreign_data_dir',
    hint: `start the gateway first, or run this as that user: sudo -u '#${owner}' sluice ...`,
  });
}
