import type { LaneId } from '../../src/core/lane-log.ts';
import type { NewRecord } from '../../src/core/record.ts';
import type { Stream } from '../../src/core/stream.ts';
import type { LinkStatus } from '../../src/core/upstream.ts';
import type { GatewayIdentity, TopicRoute, UplinkOptions } from '../../src/uplink/options.ts';
import { createUplinkSet } from '../../src/uplink/uplink-set.ts';
import { FakeLog, type LaneCounts } from './fake-log.ts';
import { MemoryLogger } from './memory-logger.ts';
import { newRecord } from './records.ts';
import { IDENTITY } from './uplink-options.ts';
import { waitFor } from './wait-for.ts';

/** One uplink at work on a log in memory. */
export interface RunningUplink {
  readonly log: FakeLog;
  readonly logger: MemoryLogger;
  status(): LinkStatus | undefined;
  counts(stream?: Stream): LaneCounts;
  /** As many records as asked for, of the devices in turn; resolves to their seqs. */
  append(count: number, changes?: Partial<NewRecord>): number[];
  /** Resolves when nothing is pending. */
  drained(stream?: Stream): Promise<void>;
  /** Resolves when the state is, or was since the last call, however briefly. */
  reaches(state: LinkStatus['state']): Promise<void>;
  stop(): Promise<void>;
}

const TIMEOUT_MS = 20_000;
const DEVICES = ['sensor-1', 'sensor-2', 'sensor-3', 'sensor-4', 'sensor-5'];

export async function runUplink(
  options: UplinkOptions,
  log = new FakeLog(),
  routes: readonly TopicRoute[] = [],
  identity: Partial<GatewayIdentity> = {},
): Promise<RunningUplink> {
  const logger = new MemoryLogger();
  const states: LinkStatus['state'][] = [];
  let status: LinkStatus | undefined;
  let seenCount = 0;
  let appendedCount = 0;
  const set = createUplinkSet({
    uplinks: [options],
    routes,
    ...IDENTITY,
    ...identity,
    reader: log,
    laneLog: log,
    logger,
    gate: Promise.resolve(),
    onStatus: (_name, published) => {
      status = published;
      states.push(published.state);
    },
  });
  await set.start();
  const laneOf = (stream: Stream): LaneId => ({ uplink: options.name, stream });
  return {
    log,
    logger,
    status: () => status,
    counts: (stream = 'telemetry') => log.counts(laneOf(stream)),
    append: (count, changes = {}) => {
      const records = Array.from({ length: count }, () => {
        appendedCount += 1;
        const device = DEVICES[appendedCount % DEVICES.length] ?? '';
        return newRecord({ device, value: Buffer.from(JSON.stringify({ n: appendedCount })), ...changes });
      });
      return log.append(records);
    },
    drained: async (stream = 'telemetry') => {
      const isDrained = (): boolean => log.counts(laneOf(stream)).pendingCount === 0;
      await waitFor(isDrained, { what: () => `${stream} to be drained (${status?.reason})`, timeoutMs: TIMEOUT_MS });
    },
    reaches: async (state) => {
      const isReached = (): boolean => status?.state === state || states.includes(state, seenCount);
      const what = (): string => `the state ${state} (${status?.state}: ${status?.reason})`;
      await waitFor(isReached, { what, timeoutMs: TIMEOUT_MS });
      seenCount = status?.state === state ? states.length : states.indexOf(state, seenCount) + 1;
    },
    stop: () => set.stop({ deadlineMs: 5_000 }),
  };
}
