import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const REQUIREMENTS = join(import.meta.dirname, 'schemathesis', 'requirements.txt');
const PYTHON = '/usr/bin/python3';

/**
 * The Python of a virtual environment that holds Schemathesis, made once in `$SLUICE_TEST_CACHE` or
 * `~/.cache/sluice-test`. Two runs at once do not disturb each other: the folder appears whole or not at all.
 */
export function schemathesisPython(): string {
  const cache = process.env['SLUICE_TEST_CACHE'] || join(homedir(), '.cache', 'sluice-test');
  const folder = join(cache, `schemathesis-${version()}`);
  if (!existsSync(folder)) install(cache, folder);
  return join(folder, 'bin', 'python3');
}

function version(): string {
  return /^schemathesis==(\S+)$/m.exec(readFileSync(REQUIREMENTS, 'utf8'))?.[1] ?? 'none';
}

function install(cache: string, folder: string): void {
  mkdirSync(cache, { recursive: true });
  const fresh = mkdtempSync(join(cache, '.schemathesis-'));
  process.stderr.write(`fetching Schemathesis ${version()} into ${folder} (once, about half a minute)\n`);
  try {
    run(PYTHON, ['-m', 'venv', fresh]);
    run(join(fresh, 'bin', 'python3'), ['-m', 'pip', 'install', '-q', '--no-deps', '-r', REQUIREMENTS]);
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
