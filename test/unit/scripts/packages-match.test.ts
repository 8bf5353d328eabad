import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

const SCRIPT = resolve(import.meta.dirname, '../../../scripts/lib/packages-match.ts');
const ROOT = { optionalDependencies: { here: '1.0.0', elsewhere: '1.0.0' } };
const WANTED = {
  'node_modules/needed': { version: '1.0.0' },
  'node_modules/here': { version: '1.0.0', optional: true },
  'node_modules/elsewhere': { version: '1.0.0', optional: true, os: ['plan9'] },
  'node_modules/part-of-elsewhere': { version: '1.0.0', optional: true },
};
const INSTALLED = {
  'node_modules/needed': { version: '1.0.0' },
  'node_modules/here': { version: '1.0.0', optional: true },
};
const projects: string[] = [];

afterEach(() => {
  for (const project of projects.splice(0)) rmSync(project, { recursive: true });
});

/** Whether the script is content with what npm says it installed. */
function matches(installed: Readonly<Record<string, object>>): boolean {
  const project = mkdtempSync(join(tmpdir(), 'sluice-packages-'));
  projects.push(project);
  mkdirSync(join(project, 'node_modules'));
  writeFileSync(join(project, 'package-lock.json'), JSON.stringify({ packages: { '': ROOT, ...WANTED } }));
  writeFileSync(join(project, 'node_modules', '.package-lock.json'), JSON.stringify({ packages: installed }));
  return spawnSync(process.execPath, [SCRIPT, project]).status === 0;
}

describe('the packages that are installed', () => {
  it('are those of the lock file, without what is for other machines', () => {
    expect(matches(INSTALLED)).toBe(true);
  });

  it.each([
    ['a package is missing', { 'node_modules/here': INSTALLED['node_modules/here'] }],
    ['one of ours that is optional was added since', { 'node_modules/needed': INSTALLED['node_modules/needed'] }],
    ['one has another version', { ...INSTALLED, 'node_modules/needed': { version: '0.9.0' } }],
    ['there is one too many', { ...INSTALLED, 'node_modules/other': { version: '1.0.0' } }],
    ['nothing is installed', {}],
  ])('are not when %s', (_, installed) => {
    expect(matches(installed)).toBe(false);
  });
});
