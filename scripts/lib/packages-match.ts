/** Exit code 0 when node_modules holds what the lock file names: node scripts/lib/packages-match.ts PROJECT */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>;
}

function read(...path: readonly string[]): Lock['packages'] {
  const { '': _root, ...packages } = (JSON.parse(readFileSync(join(...path), 'utf8')) as Lock).packages;
  return packages;
}

function matches(project: string): boolean {
  const wanted = read(project, 'package-lock.json');
  // npm writes down here what it really installed; packages for other processors are left out.
  const installed = read(project, 'node_modules', '.package-lock.json');
  const complete = Object.entries(wanted).every(([path, { version, optional }]) => {
    const found = installed[path];
    return found === undefined ? optional === true : found.version === version;
  });
  return complete && Object.keys(installed).every((path) => path in wanted);
}

try {
  process.exitCode = matches(process.argv[2] ?? '.') ? 0 : 1;
} catch {
  process.exitCode = 1;
}
