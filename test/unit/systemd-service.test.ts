import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const UNIT = readFileSync(resolve(ROOT, 'systemd/sluice.service'), 'utf8');

it('the service names only files of the gateway that exist', () => {
  const names = [...UNIT.matchAll(/\/opt\/sluice\/(\S+)/g)].map(([, name = '']) => name);
  expect(names).toContain('scripts/sluice');
  expect(names.filter((name) => !existsSync(resolve(ROOT, name)))).toEqual([]);
});
