/** The mark beside a file that seems damaged, and the disk under both. */

import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isSuspect, markSuspect, suspectMark } from '../../src/store/damage/suspect.ts';
import { shimEnvironment } from '../support/disk-shim.ts';

const SUSPECT = new URL('../../src/store/damage/suspect.ts', import.meta.url).href;

describe('a log that seems damaged', () => {
  let directory: string;
  let file: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-suspect-'));
    mkdirSync(join(directory, 'data'));
    file = join(directory, 'data', 'log.db');
  });

  afterEach(() => rmSync(directory, { recursive: true }));

  /** In a process of its own, over a disk that does not give one of the files. Returns what went wrong. */
  function markWithoutReads(unread: string): string {
    const faultFile = join(directory, 'fault');
    const fault = Buffer.alloc(25);
    fault.write('n');
    fault.writeBigUInt64LE(statSync(unread, { bigint: true }).ino, 1);
    writeFileSync(faultFile, fault);
    const script = `import { markSuspect } from '${SUSPECT}'; markSuspect('${file}');`;
    const { stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { ...process.env, ...shimEnvironment({ directory: join(directory, 'data'), faultFile }) },
      encoding: 'utf8',
    });
    return stderr;
  }

  it.each(['log.db', 'log.db-wal'])(
    'is not suspect any more when the disk gives %s again, and before it is',
    (name) => {
      const unread = join(directory, 'data', name);
      for (const one of ['log.db', 'log.db-wal']) writeFileSync(join(directory, 'data', one), Buffer.alloc(8_192));
      expect(markWithoutReads(unread)).toBe('');
      expect(isSuspect(file, false)).toBe(true);
      expect(isSuspect(file, true)).toBe(false);
      expect(existsSync(suspectMark(file))).toBe(false);
    },
  );

  it('stays one that the disk did not give when another thread, which is ended meanwhile, begins to look at it', () => {
    for (const one of ['log.db', 'log.db-wal']) writeFileSync(join(directory, 'data', one), Buffer.alloc(8_192));
    expect(markWithoutReads(file)).toBe('');
    const isEnded = () => {
      throw new Error('ended');
    };
    expect(() => markSuspect(file, isEnded)).toThrow('ended');
    expect(isSuspect(file, true)).toBe(false);
  });

  it('is suspect when somebody is sure, whatever another thread found before or finds then', () => {
    for (const one of ['log.db', 'log.db-wal']) writeFileSync(join(directory, 'data', one), Buffer.alloc(8_192));
    expect(markWithoutReads(file)).toBe('');
    markSuspect(file);
    expect(isSuspect(file, true)).toBe(true);
    markSuspect(file, () => false);
    expect(isSuspect(file, true)).toBe(true);
  });

  it.each([
    [true, true],
    [false, false],
  ])('and seems so at another look: %s, so it is suspect when the disk has given all of it: %s', (seems, isIt) => {
    writeFileSync(file, Buffer.alloc(8_192));
    markSuspect(file, () => seems);
    expect(isSuspect(file, false)).toBe(true);
    expect(isSuspect(file, true)).toBe(isIt);
  });

  it('is marked before it is looked at, which may take longer than the process lives', () => {
    // No file: it cannot be read.
    mkdirSync(file);
    expect(() => markSuspect(file)).toThrow('EISDIR');
    expect(readFileSync(suspectMark(file), 'utf8')).toBe('');
    expect(isSuspect(file, true)).toBe(true);
  });
});
