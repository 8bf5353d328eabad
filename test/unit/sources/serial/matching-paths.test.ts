import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { matchingPaths } from '../../../../src/sources/serial/matching-paths.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-paths-'));
  for (const name of ['usb-B-if00', 'usb-A-if00', 'usb-A-if01', 'usb-if00', 'other'])
    writeFileSync(join(directory, name), '');
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('paths of ports', () => {
  it('that match a pattern are told apart by what its * stands for', async () => {
    expect(await matchingPaths(join(directory, 'usb-*-if00'))).toEqual([
      { path: join(directory, 'usb-A-if00'), port: 'A' },
      { path: join(directory, 'usb-B-if00'), port: 'B' },
    ]);
    expect(await matchingPaths(join(directory, '*er'))).toEqual([{ path: join(directory, 'other'), port: 'oth' }]);
  });

  it('are none while their directory is not there', async () => {
    expect(await matchingPaths(join(directory, 'by-id', 'usb-*'))).toEqual([]);
  });

  it('without a pattern are themselves, there or not', async () => {
    expect(await matchingPaths('/dev/absent')).toEqual([{ path: '/dev/absent', port: undefined }]);
  });
});
