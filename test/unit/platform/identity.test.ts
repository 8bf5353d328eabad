import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultGatewayId, randomMachineId, readMachineId } from '../../../src/platform/machine-id.ts';
import { VERSION } from '../../../src/platform/version.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-machine-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('the machine-id', () => {
  it('is what the file says', () => {
    const path = join(directory, 'machine-id');
    writeFileSync(path, '0123456789abcdef0123456789abcdef\n');
    expect(readMachineId(path)).toBe('0123456789abcdef0123456789abcdef');
  });

  it.each(['', 'uninitialized\n', '0123'])('is unknown when the file says %j', (text) => {
    const path = join(directory, 'machine-id');
    writeFileSync(path, text);
    expect(readMachineId(path)).toBeUndefined();
  });

  it('is unknown without a file, and a random one of the same form can stand in', () => {
    const path = join(directory, 'machine-id');
    expect(readMachineId(path)).toBeUndefined();
    writeFileSync(path, randomMachineId());
    expect(readMachineId(path)).toHaveLength(32);
  });
});

describe('the default gateway id', () => {
  it('is the host name and six digits of the machine-id', () => {
    expect(defaultGatewayId('greenhouse-pi', '4f9c1a0789abcdef0123456789abcdef')).toBe('greenhouse-pi-4f9c1a');
  });

  it('holds only what a device id may hold', () => {
    expect(defaultGatewayId('Gewächshaus 1', '4f9c1a')).toBe('Gewaechshaus_1-4f9c1a');
    expect(defaultGatewayId('', '4f9c1a')).toBe('sluice-4f9c1a');
    expect(defaultGatewayId('x'.repeat(300), '4f9c1a').length).toBeLessThanOrEqual(128);
  });
});

it('the version is that of the package', () => {
  expect(VERSION).toMatch(/^\d+\.\d+\.\d+/);
});
