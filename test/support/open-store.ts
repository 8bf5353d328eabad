import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { LaneClient } from '../../src/store/lane-client.ts';
import { SqliteLogReader } from '../../src/store/log/reader.ts';
import type { StoreOpened, StoreOptions } from '../../src/store/protocol.ts';
import { StoreClient } from '../../src/store/store-client.ts';
import type { StoreClock } from '../../src/store/store-clock.ts';
import { StoreServer } from '../../src/store/store-server.ts';

export interface OpenStore {
  readonly dataDir: string;
  readonly opened: StoreOpened;
  readonly client: StoreClient;
  readonly lanes: LaneClient;
  readonly reader: SqliteLogReader;
  /** Durations of the commits so far. */
  readonly commits: readonly number[];
  /** Closes in order; the files stay. */
  close(): Promise<void>;
}

export const STORE_DEFAULTS: Omit<StoreOptions, 'dataDir'> = {
  maxBytes: 2 ** 31,
  maxAgeMs: 30 * 24 * 3_600_000,
  keepFreeBytes: 0,
  whenFull: 'drop_oldest',
  durability: 'full',
  commitIntervalMs: 0,
  machineId: '0123456789abcdef0123456789abcdef',
  gatewayId: undefined,
  hostName: 'shed',
  idempotency: { windowMs: 24 * 3_600_000, maxKeys: 100_000 },
};

export const SYSTEM_CLOCK: StoreClock = {
  now: Date.now,
  elapsed: () => performance.now(),
  quality: () => 'synced',
  bootTime: () => undefined,
};

/** A directory for a store, and how to take it away. */
export function storeDirectory(): { dataDir: string; remove(): void } {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-store-'));
  return { dataDir, remove: () => rmSync(dataDir, { recursive: true, force: true }) };
}

/** The real store, real files and real channels, all on this thread. */
export async function openStore(
  options: Partial<StoreOptions> & { dataDir: string },
  clock: Partial<StoreClock> = {},
): Promise<OpenStore> {
  const main = new MessageChannel();
  const lanes = new MessageChannel();
  const commits: number[] = [];
  const onCommit = (durationMs: number) => commits.push(durationMs);
  new StoreServer({ main: main.port2, lanes: lanes.port2, clock: { ...SYSTEM_CLOCK, ...clock }, onCommit }).start();
  const client = new StoreClient(main.port1);
  const closePorts = () => {
    main.port1.close();
    lanes.port1.close();
  };
  const opened = await client.open({ ...STORE_DEFAULTS, ...options }).catch((error: unknown) => {
    closePorts();
    throw error;
  });
  const reader = new SqliteLogReader(opened.logFile);
  const close = async () => {
    reader.close();
    await client.close();
    closePorts();
  };
  return { dataDir: options.dataDir, opened, client, lanes: new LaneClient(lanes.port1), reader, commits, close };
}

/** Leaves the files as a kill does, with what stands in their write-ahead logs alone. */
export async function killStore(store: OpenStore): Promise<void> {
  const { dataDir } = store;
  const copy = `${dataDir}.killed`;
  cpSync(dataDir, copy, { recursive: true, filter: (file) => !file.endsWith('-shm') });
  await store.close();
  rmSync(dataDir, { recursive: true });
  renameSync(copy, dataDir);
}
