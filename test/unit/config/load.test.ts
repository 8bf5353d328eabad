import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { ConfigError } from '../../../src/config/problem.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const file = join(directory, name);
  writeFileSync(file, content);
  return file;
}

function problemWith(file: string): string {
  try {
    loadConfig({ file, env: {} });
  } catch (error) {
    if (error instanceof ConfigError)
      return `${error.code} ${error.file}: ${error.problems.map((p) => p.message).join()}`;
    throw error;
  }
  return 'none';
}

describe('a configuration file', () => {
  it('is read, its relative paths counted from its own directory', () => {
    const file = write('good.yaml', 'gateway: { id: pi, dataDir: ./data }\n');
    expect(loadConfig({ file, env: {} }).config.gateway).toEqual({ id: 'pi', dataDir: join(directory, 'data') });
  });

  it('may be empty', () => {
    expect(problemWith(write('empty.yaml', ''))).toBe('none');
  });

  it('may begin with a byte order mark', () => {
    expect(loadConfig({ file: write('bom.yaml', '\uFEFFgateway: { id: pi }'), env: {} }).config.gateway.id).toBe('pi');
  });

  it('that is not there is a problem that says what to do', () => {
    const file = join(directory, 'missing.yaml');
    expect(problemWith(file)).toBe(
      `invalid_config ${file}: does not exist: make it (an empty file will do), or name another one with --config FILE`,
    );
  });

  it('must be a file', () => {
    expect(problemWith(directory)).toContain('is not a file');
  });

  it('must be of sensible size', () => {
    expect(problemWith(write('large.yaml', `#${'x'.repeat(1024 * 1024)}`))).toContain('is larger than 1MiB');
  });

  it('must be UTF-8', () => {
    expect(problemWith(write('latin1.yaml', Uint8Array.of(0x23, 0xe4, 0x0a)))).toContain('is not UTF-8 text');
  });
});
