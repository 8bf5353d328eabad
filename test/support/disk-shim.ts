import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';

const SOURCE = resolve(import.meta.dirname, '../crash/shim/disk.c');

let built: string | undefined;

/** The shim of `test/crash/shim/disk.c` as a shared library, compiled once per process. */
export function diskShim(): string {
  built ??= compile();
  return built;
}

export interface ShimOptions {
  readonly directory: string;
  readonly recordFile?: string;
  readonly faultFile?: string;
}

/** What a process needs in its environment to run under the shim. */
export function shimEnvironment({ directory, recordFile, faultFile }: ShimOptions): Readonly<Record<string, string>> {
  return {
    LD_PRELOAD: diskShim(),
    SLUICE_SHIM_DIR: directory,
    ...(recordFile !== undefined && { SLUICE_SHIM_RECORD: recordFile }),
    ...(faultFile !== undefined && { SLUICE_SHIM_FAULT: faultFile }),
  };
}

function compile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-shim-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  const library = join(directory, 'disk.so');
  const { status, stderr, error } = spawnSync('gcc', ['-O2', '-shared', '-fPIC', '-o', library, SOURCE], {
    encoding: 'utf8',
  });
  if (error !== undefined) throw new Error('gcc is missing (Debian: apt-get install gcc libc6-dev)', { cause: error });
  if (status !== 0) throw new Error(`gcc could not compile ${SOURCE}:\n${stderr}`);
  return library;
}
