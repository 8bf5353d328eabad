import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBootId } from '../../../src/platform/boot-id.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-boot-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('the boot id', () => {
  it('is what the kernel says, without its dashes', () => {
    const said = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    expect(readBootId()).toBe(said.trim().replaceAll('-', ''));
    expect(readBootId()).toMatch(/^[0-9a-f]{32}$/);
  });

  it('is unknown where there is none, or none in that form', () => {
    expect(readBootId(join(directory, 'none'))).toBeUndefined();
    writeFileSync(join(directory, 'odd'), 'odd\n');
    expect(readBootId(join(directory, 'odd'))).toBeUndefined();
  });
});
