import { resolve } from 'node:path';
import { createApi, createControlApi } from '../../src/api/app.ts';
import type { ApiMetrics } from '../../src/api/context.ts';
import { WaitingRoom } from '../../src/api/waiting-room.ts';
import { CommandDesk } from '../../src/devices/commands/command-desk.ts';
import type { HttpRequestLabels } from '../../src/platform/metrics.ts';
import { FakeBrowser } from './fake-browser.ts';
import { FakeIntake } from './fake-intake.ts';
import { FakeLog } from './fake-log.ts';
import { FAKE_NOW, FakeViews } from './fake-views.ts';
import { MemoryLogger } from './memory-logger.ts';

const WEB = resolve(import.meta.dirname, '../../src/web');

/** Remembers what was observed. */
export class FakeMetrics implements ApiMetrics {
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';
  readonly observed: HttpRequestLabels[] = [];

  async render(): Promise<string> {
    return 'sluice_build_info 1\n';
  }

  observeHttpRequest(labels: HttpRequestLabels): void {
    this.observed.push(labels);
  }
}

/** Both apps over a fake gateway, without a socket. */
export function fakeApi({ storeTimeoutMs = 10_000 } = {}) {
  const views = new FakeViews();
  const logger = new MemoryLogger();
  const metrics = new FakeMetrics();
  const intake = new FakeIntake();
  const browser = new FakeBrowser();
  const log = new FakeLog();
  const commands = new CommandDesk({ clock: { now: () => FAKE_NOW, monotonic: () => performance.now() }, logger });
  const deps = {
    logger,
    metrics,
    now: () => FAKE_NOW,
    staleAfterMs: 600_000,
    maxBodyBytes: 65_536,
    intake,
    browser,
    kept: browser,
    replays: log,
    commands,
    room: new WaitingRoom({ maxBytes: 65_536, timeoutMs: storeTimeoutMs }),
    webDirectory: WEB,
  };
  return {
    views,
    logger,
    metrics,
    intake,
    browser,
    log,
    commands,
    deps,
    app: createApi(views, deps),
    control: createControlApi(views, deps),
  };
}
