import { chmodSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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

  it('tells those who wait when it is set right where nobody can tell more', async () => {
    clock = new SystemClock({ synchronizedFile, systemdDir: join(directory, 'none'), pollMs: 5 });
    const rightNow = Date.now;
    const wrong = vi.spyOn(Date, 'now').mockReturnValue(86_400_000);
    clock.start();
    const waiting = clock.waitForSync(Number.POSITIVE_INFINITY, never);
    expect(await clock.waitForSync(50, never)).toBe('unsynced');
    wrong.mockImplementation(rightNow);
    expect(await waiting).toBe('unknown');
    wrong.mockRestore();
  });

  it('stays synced once it was, whatever the time service says while it is behind this program', async () => {
    const wrong = vi.spyOn(Date, 'now').mockReturnValue(86_400_000);
    const asked = join(directory, 'asked');
    const timedatectl = join(directory, 'yes-then-no');
    writeFileSync(timedatectl, `#!/bin/sh\nif [ -e ${asked} ]; then echo no; else echo yes; fi\n: > ${asked}\n`, {
      mode: 0o755,
    });
    clock = new SystemClock({ synchronizedFile, systemdDir: directory, timedatectl, pollMs: 1 });
    clock.start();
    await vi.waitFor(() => expect(existsSync(asked)).toBe(true), 10_000);
    expect(await clock.waitForSync(200, never)).toBe('unsynced');
    wrong.mockRestore();
    expect(clock.state()).toBe('synced');
  });

  it('counts the time of a boot on, the same in every process, whatever it is set to', () => {
    clock = new SystemClock();
    const other = new SystemClock();
    const before = clock.bootTime();
    vi.useFakeTimers({ now: 86_400_000, toFake: ['Date'] });
    const [mine, others] = [clock.bootTime(), other.bootTime()];
    vi.useRealTimers();
    expect(others?.bootId).toBe(mine?.bootId);
    expect(mine?.uptimeMs).toBeGreaterThanOrEqual(before?.uptimeMs ?? Number.NaN);
    expect(others?.uptimeMs).toBeGreaterThanOrEqual(mine?.uptimeMs ?? Number.NaN);
  });

  it('knows when the machine was started, also when it is held up between two looks', () => {
    clock = new SystemClock();
    const uptimes = [1_000, 1_500, 1_500, 1_510];
    const bootId = 'b'.repeat(32);
    const bootTimes = vi.spyOn(clock, 'bootTime');
    for (const uptimeMs of uptimes) bootTimes.mockReturnValueOnce({ bootId, uptimeMs });
    vi.spyOn(clock, 'now').mockReturnValueOnce(101_000).mockReturnValueOnce(101_505);
    expect(clock.bootStart()).toEqual({ bootId, startedAt: 101_505 - 1_510 });
    bootTimes.mockReturnValue(undefined);
    expect(clock.bootStart()).toBeUndefined();
  });

  it('is unknown when the time service cannot answer, until it can', async () => {
    startClock(undefined);
    await vi.waitFor(() => expect(clock.state()).toBe('unknown'), 10_000);
    answerWith('no');
    await vi.waitFor(() => expect(clock.state()).toBe('unsynced'));
    answerWith('yes');
    await vi.waitFor(() => expect(clock.state()).toBe('synced'));
  });

  it('is not right while the time service cannot answer: it may be set later', async () => {
    startClock(undefined);
    const controller = new AbortController();
    let isRight = false;
    const right = clock.waitUntilRight(controller.signal).then(() => {
      isRight = true;
    });
    await vi.waitFor(() => expect(clock.state()).toBe('unknown'), 10_000);
    expect([clock.isRight(), isRight]).toEqual([false, false]);
    answerWith('yes');
    await right;
    expect([clock.isRight(), clock.state()]).toEqual([true, 'synced']);
    await clock.waitUntilRight(controller.signal);
  });

  it('is right without a time service as soon as it is not behind this program', async () => {
    clock = new SystemClock({ synchronizedFile, systemdDir: join(directory, 'none'), pollMs: 5 });
    const rightNow = Date.now;
    const wrong = vi.spyOn(Date, 'now').mockReturnValue(86_400_000);
    clock.start();
    expect(clock.isRight()).toBe(false);
    const right = clock.waitUntilRight(never);
    wrong.mockImplementation(rightNow);
    await right;
    expect(clock.isRight()).toBe(true);
    wrong.mockRestore();
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
    const forEver = clock.waitForSync(Number.POSITIVE_INFINITY, controller.signal);
    controller.abort();
    expect([await waiting, await forEver]).toEqual(['unsynced', 'unsynced']);
    expect(await clock.waitForSync(3_600_000, controller.signal)).toBe('unsynced');
  });
});
