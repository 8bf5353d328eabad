import type { Config } from '../config/config.ts';
import { codeOf, messageOf, SluiceError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { EXIT, type Input, type Io } from './command.ts';
import { type DeviceAdmin, withDevices } from './device-admin.ts';
import { type LeftOut, type MosquittoUser, readMosquittoFile } from './mosquitto-file.ts';

interface Imported {
  readonly ids: readonly string[];
  readonly leftOut: readonly LeftOut[];
}

/** Of one device only; anything else ends the import. */
const OF_ONE_DEVICE = ['device_exists', 'bad_secret_hash'];

/** Lets the users of a mosquitto password file log in with the passwords they have. Exit code 1 when one is left out. */
export async function importDevices({ positionals, values }: Input, config: Config, io: Io): Promise<number> {
  const [, file = ''] = positionals;
  const dryRun = values['dry-run'] === true;
  const { users, leftOut } = readMosquittoFile(file);
  const imported = await withDevices(config, (admin) => (dryRun ? rehearse(admin, users) : adoptAll(admin, users)));
  const all = [...leftOut, ...imported.leftOut].sort((a, b) => a.line - b.line);
  if (values['json'] === true) {
    const report = { imported: imported.ids, left_out: all, dry_run: dryRun };
    io.out(`${JSON.stringify(report)}\n`);
  } else io.out(reportText(file, { ids: imported.ids, leftOut: all }, dryRun));
  return all.length === 0 ? EXIT.done : EXIT.failed;
}

async function rehearse(admin: DeviceAdmin, users: readonly MosquittoUser[]): Promise<Imported> {
  const taken = new Set((await admin.list()).filter(({ provisioned }) => provisioned).map(({ id }) => id));
  const leftOut = users.filter(({ id }) => taken.has(id)).map((user) => exists(user));
  return { ids: users.filter(({ id }) => !taken.has(id)).map(({ id }) => id), leftOut };
}

async function adoptAll(admin: DeviceAdmin, users: readonly MosquittoUser[]): Promise<Imported> {
  const ids: string[] = [];
  const leftOut: LeftOut[] = [];
  for (const user of users) {
    try {
      await admin.adopt(user.id, user.secretHash);
      ids.push(user.id);
    } catch (error) {
      const code = codeOf(error);
      // The first question finds out whether a gateway runs at all.
      if (code === 'not_running' && ids.length === 0 && leftOut.length === 0) throw error;
      if (code === undefined || !OF_ONE_DEVICE.includes(code)) throw interrupted(error, user, ids.length);
      leftOut.push(code === 'device_exists' ? exists(user) : leave(user, code, messageOf(error)));
    }
  }
  return { ids, leftOut };
}

function exists(user: MosquittoUser): LeftOut {
  return leave(user, 'device_exists', 'has a secret already: remove the device first to take this one over');
}

function leave({ line, id }: MosquittoUser, reason: string, detail: string): LeftOut {
  return { line, name: id, reason, detail };
}

function interrupted(error: unknown, { line, id }: MosquittoUser, doneCount: number): SluiceError {
  return new SluiceError(`the import ended at line ${line}, ${id}; ${doneCount} devices before it can log in`, {
    code: codeOf(error) ?? 'import_failed',
    hint: 'mend that and import the file again: who is in already is left alone',
    cause: error,
  });
}

function reportText(file: string, { ids, leftOut }: Imported, dryRun: boolean): string {
  const count = ids.length === 1 ? '1 device' : `${ids.length} devices`;
  const done = dryRun
    ? `${count} would be imported; nothing was changed.`
    : `${count} imported, with the passwords they have.`;
  const grants = ids.length === 0 ? '' : 'What they may do beside devices/{id}/... stands in mqtt.grants.\n';
  if (leftOut.length === 0) return `${done}\n${grants}`;
  const lines = leftOut.map(({ line, name, detail }) => `  ${printable(file)}:${line}: ${printable(name)} ${detail}\n`);
  return `${done}\n${grants}${leftOut.length} left out:\n${lines.join('')}`;
}
