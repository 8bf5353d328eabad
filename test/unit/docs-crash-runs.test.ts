import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startCommand } from '../support/run-command.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const COMMAND = /npm run crash -- ([a-z][\w-]*)([^`\n]*)/g;

/** Options by the name of the run, of all pages. */
function named(): Map<string, Set<string>> {
  const directory = join(ROOT, 'docs');
  const pages = readdirSync(directory).filter((name) => name.endsWith('.md'));
  const texts = pages.map((name) => readFileSync(join(directory, name), 'utf8'));
  const runs = new Map<string, Set<string>>();
  for (const [, name = '', rest = ''] of texts.flatMap((text) => [...text.matchAll(COMMAND)])) {
    const options = runs.get(name) ?? new Set();
    for (const [option] of rest.matchAll(/--[a-z-]+/g)) options.add(option);
    runs.set(name, options);
  }
  return runs;
}

describe('crash runs that the pages name', () => {
  it.each([...named()])('are there, with their options: %s', async (name, options) => {
    const args = [join(ROOT, 'test/crash/main.ts'), name, '--help'];
    const { code, stdout, stderr } = await startCommand(process.execPath, args).ended;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    for (const option of options) expect(stdout).toContain(`  ${option} `);
  });
});
