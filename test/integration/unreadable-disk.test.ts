/** The real gateway over a disk that gives errors when it is read. */

import { Buffer } from 'node:buffer';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../src/core/gap.ts';
import { readMachineId } from '../../src/platform/machine-id.ts';
import { markSuspect } from '../../src/store/damage/suspect.ts';
import { PATIENCE_MS } from '../../src/store/disk-reads.ts';
import { sluice } from '../support/command-line.ts';
import { shimEnvironment } from '../support/disk-shim.ts';
import { readEventFiles } from '../support/event-files.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { openStore } from '../support/open-store.ts';
import { entryOf, newRecord } from '../support/records.ts';
import { waitFor } from '../support/wait-for.ts';

/** More pages than a start looks at. */
const COUNT = 10_000;
const GATEWAY = 'test-gateway';
const PAGE_BYTES = 4096;
const HOLDER = new URL('../support/hold-salvage.ts', import.meta.url).href;
const LANE = { uplink: 'sink', stream: 'telemetry' } as const;

describe('a start from a disk that gives errors when it is read', () => {
  let gateway: GatewayProcess;
  let directory: string;
  let faultFile: string;
  let hold: string;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-unreadable-'));
    faultFile = join(directory, 'fault');
    writeFileSync(faultFile, '-');
    hold = join(directory, 'hold');
    gateway = await GatewayProcess.create({
      config: { uplinks: [{ name: LANE.uplink, type: 'file', directory: '{directory}/upstream' }] },
      env: { ...shim('{directory}/data'), SLUICE_TEST_HOLD: hold },
      nodeOptions: ['--import', HOLDER],
    });
    const store = await openStore({ dataDir: gateway.dataDir, machineId: readMachineId() });
    await store.lanes.open(LANE, 'oldest');
    const records = Array.from({ length: COUNT }, (_, n) =>
      newRecord({ value: Buffer.from(`{"n":${n}}${' '.repeat(100)}`) }),
    );
    await store.client.append(entryOf(...records));
    await store.close();
  });

  afterEach(async () => {
    await gateway.dispose();
    rmSync(directory, { recursive: true });
  });

  const shim = (watched: string) => shimEnvironment({ directory: watched, faultFile });

  /** As the shim reads it; in place, because the shim has the file mapped. */
  function disk(fault: string, ...place: readonly bigint[]): void {
    const bytes = Buffer.alloc(25);
    bytes.write(fault);
    for (const [index, number] of place.entries()) bytes.writeBigUInt64LE(number, 1 + 8 * index);
    writeFileSync(faultFile, bytes, { flag: 'r+' });
  }

  /** `times`: so often it cannot be read; 0 for ever. */
  function badPage(table: string, leaf: number, times = 0): void {
    const file = join(gateway.dataDir, 'log.db');
    const { ino } = statSync(file, { bigint: true });
    disk('b', ino, BigInt(PAGE_BYTES * (leafOf(file, table, leaf) - 1)), BigInt(times));
  }

  /** As a service manager does: what ends is started again. */
  async function whileUp(condition: () => boolean, what: string): Promise<void> {
    await waitFor(
      () => {
        if (gateway.pid === undefined) gateway.launch();
        return condition();
      },
      { what, timeoutMs: 90_000 },
    );
  }

  async function saysThatSalvageWaits(): Promise<boolean> {
    const { parts } = (await gateway.get('/health/ready')) as { parts: { name: string; status: string }[] };
    return parts.some(({ name, status }) => name === 'salvage' && status === 'degraded');
  }

  const setAside = () => readdirSync(gateway.dataDir).filter((name) => name.endsWith('.damaged'));
  const arrived = (stream: 'telemetry' | 'gaps') =>
    readEventFiles(join(gateway.directory, 'upstream'), GATEWAY, stream);
  const gaps = () => arrived('gaps').map(({ value }) => JSON.parse(value.toString()) as Gap);

  it.each([
    ['at all', 'i'],
    ['behind the first page of each file', 'p'],
  ])(
    'ends with a line that says so, and sets nothing aside, when no read works %s',
    async (_, fault) => {
      disk(fault);
      gateway.launch();
      expect(await gateway.exited()).toMatchObject({ code: 1 });
      expect(gateway.logTail()).toMatch(/store_unreadable/);
      const looked = sluice(['doctor', '--config', gateway.configFile], shim(gateway.dataDir));
      expect(looked).toMatchObject({ code: 1, out: expect.stringContaining('log.db: the disk gives errors') });
      expect(setAside()).toEqual([]);
      disk('-');
      await gateway.start();
      await whileUp(() => arrived('telemetry').length === COUNT, 'all records');
      expect([gaps(), setAside()]).toEqual([[], []]);
    },
    120_000,
  );

  it.each([
    ['positions', 'lanes', 0, 1],
    ['positions', 'lanes', 0, 3],
    ['newest records', 'telemetry', -1, 1],
    ['records that are sent', 'telemetry', 101, 2],
    ['records that are sent', 'telemetry', 101, 3],
    ['records that are sent', 'telemetry', 101, 12],
  ])(
    'sets nothing aside when a page of the %s (%s, page %i) is given again after %i times',
    async (_, table, leaf, times) => {
      badPage(table, leaf, times);
      await whileUp(() => arrived('telemetry').length === COUNT, 'all records');
      expect([gaps(), setAside()]).toEqual([[], []]);
    },
    120_000,
  );

  it('ends with a line that says so when a file cannot even be opened', async () => {
    await gateway.start();
    await gateway.stop('SIGKILL');
    const { ino } = statSync(join(gateway.dataDir, 'log.db-wal'), { bigint: true });
    disk('o', ino);
    gateway.launch();
    expect(await gateway.exited()).toMatchObject({ code: 1 });
    expect(gateway.logTail()).toMatch(/store_unreadable/);
    disk('-');
    await whileUp(() => arrived('telemetry').length === COUNT, 'all records');
    expect([gaps(), setAside()]).toEqual([[], []]);
  }, 120_000);

  it('says that a file was written by a newer version, although not all of it can be read', () => {
    const db = new Database(join(gateway.dataDir, 'log.db'));
    db.exec('PRAGMA user_version = 900; PRAGMA application_id = 0x534c0384');
    db.close();
    badPage('telemetry', 101);
    const { out } = sluice(['doctor', '--config', gateway.configFile], shim(gateway.dataDir));
    expect(out).toContain('log.db was written by a newer version');
  });

  it.each([
    ['read', 'n'],
    ['opened', 'o'],
  ])(
    'waits, and says so, for as long as a log that is set aside cannot be %s at all, and loses nothing of it',
    async (_, fault) => {
      markSuspect(join(gateway.dataDir, 'log.db'));
      writeFileSync(hold, '');
      await gateway.start();
      await gateway.stop('SIGKILL');
      disk(fault, statSync(join(gateway.dataDir, 'log.db.damaged'), { bigint: true }).ino);
      rmSync(hold);
      await gateway.start();
      // A page that does not come for so long, while others do, is given up.
      await delay(1.2 * PATIENCE_MS);
      await waitFor(saysThatSalvageWaits, { what: 'health to say so', timeoutMs: 30_000 });
      disk('-');
      await whileUp(() => arrived('telemetry').length === COUNT, 'all records');
      expect([gaps(), setAside()]).toEqual([[], ['log.db.damaged']]);
    },
    120_000,
  );

  it('goes on when only the copy of state.db cannot be read: nothing needs it', async () => {
    const copy = join(gateway.dataDir, 'state.db.good');
    const { ino } = statSync(copy, { bigint: true });
    disk('n', ino);
    await gateway.start();
    await whileUp(() => arrived('telemetry').length === COUNT, 'all records');
    expect([gaps(), setAside()]).toEqual([[], []]);
    expect(statSync(copy, { bigint: true }).ino).not.toBe(ino);
  }, 120_000);

  it('that never gives one page again takes that for damage, after a while, and says what was on it', async () => {
    badPage('telemetry', 101);
    await whileUp(() => gaps().length > 0, 'a gap');
    const lost = gaps().reduce((sum, { count }) => sum + count, 0);
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(50);
    await waitFor(() => arrived('telemetry').length === COUNT - lost, { what: 'the rest', timeoutMs: 30_000 });
    expect(setAside()).toEqual(['log.db.damaged']);
  }, 120_000);
});

/** The number of a page of a table; the last ones have negative indexes. */
function leafOf(file: string, table: string, index: number): number {
  const db = new Database(file, { readonly: true });
  const pages = db
    .prepare<[string], number>("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path")
    .pluck()
    .all(table);
  db.close();
  return pages.at(index) ?? 0;
}
