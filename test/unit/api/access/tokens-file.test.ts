import { appendFileSync, chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TokensFile } from '../../../../src/api/access/tokens-file.ts';
import { sha256 } from '../../../support/api-server.ts';
import { MemoryLogger } from '../../../support/memory-logger.ts';
import { waitFor } from '../../../support/wait-for.ts';

let directory: string;
let path: string;
let logger: MemoryLogger;
let file: TokensFile;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-tokens-'));
  path = join(directory, 'api-tokens');
  logger = new MemoryLogger();
  file = new TokensFile({ path, logger, pollMs: 10 });
});

afterEach(() => {
  file.stop();
  rmSync(directory, { recursive: true });
});

function write(...names: readonly string[]): void {
  writeFileSync(path, names.map((name) => `${name}:read:${sha256(name)}\n`).join(''), { mode: 0o600 });
}

function names(): readonly string[] {
  return file.tokens().map(({ name }) => name);
}

async function warned(text: string): Promise<void> {
  const probe = () =>
    logger.lines.some(({ level, fields, message }) => {
      const reason = fields['error'] instanceof Error ? fields['error'].message : '';
      return level === 'warn' && `${message} ${reason}`.includes(text);
    });
  await waitFor(probe, { what: `a warning about ${text}`, timeoutMs: 10_000 });
}

describe('the tokens file', () => {
  it('is read again when it changes: a token that is taken out is worth nothing from then on', async () => {
    write('a', 'b');
    file.start();
    expect(names()).toEqual(['a', 'b']);
    write('b');
    await waitFor(() => names().join() === 'b', { what: 'a to be gone', timeoutMs: 10_000 });
  });

  it('may be replaced by another one', async () => {
    write('a');
    file.start();
    const next = join(directory, 'next');
    writeFileSync(next, `c:read:${sha256('c')}\n`, { mode: 0o600 });
    renameSync(next, path);
    await waitFor(() => names().join() === 'c', { what: 'the new token', timeoutMs: 10_000 });
  });

  it('may be emptied, and then no token is good', async () => {
    write('a');
    file.start();
    writeFileSync(path, '# none\n');
    await waitFor(() => names().length === 0, { what: 'no token', timeoutMs: 10_000 });
  });

  it('that is wrong or gone changes nothing, and the log says what to do', async () => {
    write('a');
    file.start();
    appendFileSync(path, 'b:everything:00\n');
    await warned('line 2: "everything" is no scope');
    rmSync(path);
    await warned('does not exist');
    expect(names()).toEqual(['a']);
  });

  it('should be nobody else’s to read', () => {
    write('a');
    file.start();
    expect(logger.lines.filter(({ level }) => level === 'warn')).toEqual([]);
    file.stop();
    chmodSync(path, 0o644);
    file.start();
    expect(logger.lines.at(-2)).toMatchObject({ level: 'warn', message: expect.stringContaining('chmod o-r') });
  });
});

describe('a start', () => {
  it.each([
    ['without the file', undefined, /^api\.tokensFile: .*api-tokens does not exist$/],
    ['with a file that holds no token', '# nobody\n', /holds no token$/],
    ['with a line that is wrong', '\na:read\n', /line 2: must be name:scopes:hash$/],
    ['with a file that is far too large', '#'.repeat(300_000), /is larger than 256KiB$/],
  ])('%s is refused', (_, text, message) => {
    if (text !== undefined) writeFileSync(path, text, { mode: 0o600 });
    expect(() => file.start()).toThrow(
      expect.objectContaining({ code: 'tokens_file_unusable', message: expect.stringMatching(message) }),
    );
  });
});
