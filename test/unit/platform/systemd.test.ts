import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DgramSocket } from 'node-unix-socket';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createServiceManager, type ServiceManager } from '../../../src/platform/systemd.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

let directory: string;
let receiver: DgramSocket;
let received: string[];
let logger: MemoryLogger;
let manager: ServiceManager;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-systemd-'));
  logger = new MemoryLogger();
  received = [];
  receiver = new DgramSocket();
  receiver.bind(join(directory, 'notify'));
  receiver.on('data', (bytes: Buffer) => received.push(bytes.toString()));
});

afterEach(() => {
  manager.close();
  receiver.close();
  rmSync(directory, { recursive: true });
});

function start(environment: Record<string, string> = {}, notifyCommand = '/nowhere/systemd-notify'): void {
  const NOTIFY_SOCKET = join(directory, 'notify');
  manager = createServiceManager({ logger, environment: { NOTIFY_SOCKET, ...environment }, notifyCommand });
}

describe('the service manager', () => {
  it('hears of readiness, status and stopping', async () => {
    start();
    await manager.ready();
    await manager.status('two lines\nof text');
    await manager.stopping();
    await vi.waitFor(() => expect(received).toEqual(['READY=1', 'STATUS=two lines of text', 'STOPPING=1']));
  });

  it('is left alone where there is none', async () => {
    manager = createServiceManager({ logger, environment: {} });
    await manager.ready();
    manager.feedWatchdog(() => true);
    expect(logger.lines).toEqual([]);
  });

  it('is told by command when its address is not a path', async () => {
    const command = join(directory, 'systemd-notify');
    const said = join(directory, 'said');
    writeFileSync(command, `#!/bin/sh\necho "$NOTIFY_SOCKET $@" >> ${said}\n`);
    chmodSync(command, 0o755);
    start({ NOTIFY_SOCKET: '@abstract' }, command);
    await manager.ready();
    expect(existsSync(said) && readFileSync(said, 'utf8')).toBe('@abstract --no-block READY=1\n');
  });

  it('costs one warning when it does not listen', async () => {
    start({ NOTIFY_SOCKET: join(directory, 'gone') });
    await manager.ready();
    await manager.status('up');
    expect(logger.lines.map((line) => line.level)).toEqual(['warn']);
  });
});

describe('the watchdog', () => {
  it('is fed while work goes on, and not when it stands still', async () => {
    let alive = true;
    let askedCount = 0;
    start({ WATCHDOG_USEC: '20000' });
    manager.feedWatchdog(() => {
      askedCount += 1;
      return alive;
    });
    await vi.waitFor(() => expect(received.length).toBeGreaterThan(2));
    alive = false;
    await vi.waitFor(() => expect(logger.lines).toHaveLength(1));
    const fedCount = received.length;
    const asked = askedCount;
    await vi.waitFor(() => expect(askedCount).toBeGreaterThan(asked + 2));
    expect(received.length - fedCount).toBeLessThanOrEqual(1);
    expect(received.every((message) => message === 'WATCHDOG=1')).toBe(true);
    alive = true;
    await vi.waitFor(() => expect(received.length).toBeGreaterThan(fedCount + 2));
  });

  it('of another process is not ours to feed', () => {
    const isAlive = vi.fn(() => true);
    vi.useFakeTimers();
    start({ WATCHDOG_USEC: '20000', WATCHDOG_PID: String(process.pid + 1) });
    manager.feedWatchdog(isAlive);
    vi.advanceTimersByTime(1_000);
    vi.useRealTimers();
    expect(isAlive).not.toHaveBeenCalled();
  });
});
