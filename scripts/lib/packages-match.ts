/** Exit code 0 when node_modules holds what the lock file names: node scripts/lib/packages-match.ts PROJECT */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

interface LockedPackage {
  readonly version?: string;
  readonly optional?: boolean;
  readonly os?: string | readonly string[];
  readonly cpu?: string | readonly string[];
}

interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>> & {
    readonly ''?: { readonly optionalDependencies?: Readonly<Record<string, string>> };
  };
}

function read(...path: readonly string[]): Lock['packages'] {
  return (JSON.parse(readFileSync(join(...path), 'utf8')) as Lock).packages;
}

function isForThisMachine({ os = process.platform, cpu = process.arch }: LockedPackage): boolean {
  return [os].flat().includes(process.platform) && [cpu].flat().includes(process.arch);
}

function matches(project: string): boolean {
  const { '': root, ...wanted } = read(project, 'package-lock.json');
  // npm writes down here what it really installed; packages for other machines, and what only those need, are left out.
  const { '': _, ...installed } = read(project, 'node_modules', '.package-lock.json');
  const ownOptional = Object.keys(root?.optionalDependencies ?? {}).map((name) => `node_modules/${name}`);
  const mayBeMissing = (path: string, locked: LockedPackage): boolean =>
    locked.optional === true && !(ownOptional.includes(path) && isForThisMachine(locked));
  const complete = Object.entries(wanted).every(([path, locked]) => {
    const found = installed[path];
    return found === undefined ? mayBeMissing(path, locked) : found.version === locked.version;
  });
  return complete && Object.keys(installed).every((path) => path in wanted);
}

try {
  process.exitCode = matches(process.argv[2] ?? '.') ? 0 : 1;
} catch {
  process.exitCode = 1;
}
