import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../../src/platform/clock.ts';

let directory: string;
let synchronizedFile: string;
let clock: SystemClock;
const never = new AbortController().signal;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-clock-'));
  synchronizedFile = join(directory, 'synchronized');
});

afterEach(() => {
  clock.stop();
  rmSync(directory, { recursive: true });
});

/** Replaced as a whole: a script that is being run cannot be written to. */
function answerWith(answer: string | undefined): string {
  const command = join(directory, 'timedatectl');
  writeFileSync(`${command}.new`, answer === undefined ? '#!/bin/sh\nexit 1\n' : `#!/bin/sh\necho ${answer}\n`);
  chmodSync(`${command}.new`, 0o755);
  renameSync(`${command}.new`, command);
  return command;
}

function startClock(answer: string | undefined): SystemClock {
  const timedatectl = answerWith(answer);
  clock = new SystemClock({ synchronizedFile, systemdDir: directory, timedatectl, pollMs: 5 });
  clock.start();
  return clock;
}

describe('the clock', () => {
  it('is synced when systemd says so by its file', () => {
    writeFileSync(synchronizedFile, '');
    startClock('no');
    expect([clock.state(), clock.quality()]).toEqual(['synced', 'synced']);
  });

  it('is unsynced until the time service has answered', async () => {
    startClock('yes');
    expect([clock.state(), clock.quality()]).toEqual(['unsynced', 'unsynced']);
    await vi.waitFor(() => expect(clock.state()).toBe('synced'));
  });

  it('asks again until the clock is synchronised', async () => {
    startClock('no');
    const waiting = clock.waitForSync(20_000, never);
    writeFileSync(synchronizedFile, '');
    expect(await waiting).toBe('synced');
    expect(clock.quality()).toBe('synced');
  });

  it('counts as synced without waiting where nobody can tell', async () => {
    clock = new SystemClock({ synchronizedFile, systemdDir: join(directory, 'none') });
    clock.start();
    expect(await clock.waitForSync(3_600_000, never)).toBe('unknown');
    expect(clock.quality()).toBe('synced');
  });

  it('is not to be trusted while it is behind this program, whoever calls it synchronised', async () => {
    writeFileSync(synchronizedFile, '');
    startClock('yes');
    vi.useFakeTimers({ now: 86_400_000, toFake: ['Date'] });
    expect([clock.state(), clock.quality()]).toEqual(['unsynced', 'unsynced']);
    expect(await clock.waitForSync(1, never)).toBe('unsynced');
    vi.useRealTimers();
    expect(clock.quality()).toBe('synced');
  });

  it('is unknown when the time service cannot answer, until it can', async () => {
    startClock(undefined);
    await vi.waitFor(() => expect(clock.state()).toBe('unknown'), 10_000);
    answerWith('no');
    await vi.waitFor(() => expect(clock.state()).toBe('unsynced'));
    answerWith('yes');
    await vi.waitFor(() => expect(clock.state()).toBe('synced'));
  });

  it('is unsynced, not unknown, until the time service has failed again and again: at boot it may not be up yet', async () => {
    const asked = join(directory, 'asked');
    const timedatectl = join(directory, 'failing');
    writeFileSync(timedatectl, `#!/bin/sh\necho >> ${asked}\nexit 1\n`, { mode: 0o755 });
    clock = new SystemClock({ synchronizedFile, systemdDir: directory, timedatectl, pollMs: 1 });
    clock.start();
    await vi.waitFor(() => expect(clock.state()).toBe('unknown'), 10_000);
    expect(readFileSync(asked, 'utf8').length).toBeGreaterThanOrEqual(5);
  });

  it('is unsynced while the time service does not answer in time', async () => {
    const timedatectl = join(directory, 'hanging');
    writeFileSync(timedatectl, '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
    clock = new SystemClock({
      synchronizedFile,
      systemdDir: directory,
      timedatectl,
      askTimeoutMs: 20,
      pollMs: 3_600_000,
    });
    clock.start();
    expect(await clock.waitForSync(500, never)).toBe('unsynced');
  });

  it('stops waiting at its deadline and when it is told to', async () => {
    startClock('no');
    expect(await clock.waitForSync(1, never)).toBe('unsynced');
    const controller = new AbortController();
    const waiting = clock.waitForSync(3_600_000, controller.signal);
    controller.abort();
    expect(await waiting).toBe('unsynced');
    expect(await clock.waitForSync(3_600_000, controller.signal)).toBe('unsynced');
  });
});
