import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');

/** SPDX identifiers of licences that ask for no more than to be named. */
const PERMISSIVE = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Python-2.0',
]);
/** Used unchanged to build and test, never part of what is installed to run: file-level copyleft is fine there. */
const PERMISSIVE_FOR_DEVELOPMENT = new Set([...PERMISSIVE, 'MPL-2.0']);

type Dependencies = Readonly<Record<string, string>>;

interface LockedPackage {
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly optionalDependencies?: Dependencies;
  readonly resolved?: string;
  readonly version?: string;
  readonly integrity?: string;
}

function json<T>(file: string): T {
  return JSON.parse(readFileSync(resolve(ROOT, file), 'utf8')) as T;
}

const LOCK = json<{ packages: Record<string, LockedPackage> }>('package-lock.json');
const LOCKED = Object.entries(LOCK.packages).filter(([path]) => path !== '');

/** `(MIT OR Apache-2.0)`: one of them is enough; `MIT AND ISC`: all of them must be. */
function isAllowed(expression: string, allowed: ReadonlySet<string>): boolean {
  const choices = expression.replace(/[()]/g, '').split(' OR ');
  return choices.some((choice) => choice.split(' AND ').every((name) => allowed.has(name.trim())));
}

describe('the packages', () => {
  it('all have permissive licences', () => {
    const others = LOCKED.filter(([, { license = 'none', dev }]) => {
      return !isAllowed(license, dev === true ? PERMISSIVE_FOR_DEVELOPMENT : PERMISSIVE);
    });
    expect(others.map(([path, { license }]) => `${path}: ${license}`)).toEqual([]);
  });

  it('are locked by version and hash, and the lock file names no host', () => {
    expect(LOCKED.filter(([, { resolved }]) => resolved?.includes('://'))).toEqual([]);
    expect(LOCKED.filter(([, { version }]) => version === undefined)).toEqual([]);
    const unhashed = LOCKED.filter(([, { integrity, optional }]) => integrity === undefined && optional !== true);
    expect(unhashed.map(([path]) => path)).toEqual([]);
  });

  it('name every package of another platform, so that npm ci takes the lock file there', () => {
    const wanted = LOCKED.flatMap(([, { optionalDependencies = {} }]) => Object.keys(optionalDependencies));
    expect(wanted.filter((name) => LOCK.packages[`node_modules/${name}`] === undefined)).toEqual([]);
  });

  it('are asked for by exact versions', () => {
    const manifest = json<Record<string, Dependencies>>('package.json');
    const wanted = ['dependencies', 'optionalDependencies', 'devDependencies'].flatMap((kind) =>
      Object.entries(manifest[kind] ?? {}),
    );
    expect(wanted.length).toBeGreaterThan(10);
    expect(wanted.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  });
});
