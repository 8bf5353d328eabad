import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const PYTHON = '/usr/bin/python3';

/** What `python/{name}.txt` lists, with all that it needs. */
export type PythonPackage = 'schemathesis' | 'confluent-kafka' | 'pymodbus';

/**
 * The Python of a virtual environment that holds the package, made once in `$SLUICE_TEST_CACHE` or
 * `~/.cache/sluice-test`. Two runs at once do not disturb each other: the folder appears whole or not at all.
 */
export function pythonWith(name: PythonPackage): string {
  const requirements = join(import.meta.dirname, 'python', `${name}.txt`);
  const cache = process.env['SLUICE_TEST_CACHE'] || join(homedir(), '.cache', 'sluice-test');
  const folder = join(cache, `${name}-${versionOf(name, requirements)}`);
  if (!existsSync(folder)) install(requirements, cache, folder);
  return join(folder, 'bin', 'python3');
}

function versionOf(name: PythonPackage, requirements: string): string {
  return new RegExp(`^${name}==(\\S+)$`, 'm').exec(readFileSync(requirements, 'utf8'))?.[1] ?? 'none';
}

function install(requirements: string, cache: string, folder: string): void {
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, '.python-'));
  process.stderr.write(`fetching ${folder} (once, at most about half a minute)\n`);
  try {
    run(PYTHON, ['-m', 'venv', fresh]);
    run(join(fresh, 'bin', 'python3'), ['-m', 'pip', 'install', '-q', '--no-deps', '-r', requirements]);
    renameSync(fresh, folder);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
}

function run(command: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  throw new Error(`${command} ${args[1]} failed (Debian: apt-get install python3-venv):\n${stdout}${stderr}`);
}
