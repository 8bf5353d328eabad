import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/config.ts';
import { CommandDesk } from '../devices/commands/command-desk.ts';
import { DeviceTable } from '../devices/device-table.ts';
import { DeviceRates } from '../ingest/device-rates.ts';
import { Ingest } from '../ingest/ingest.ts';
import { Shares } from '../ingest/shares.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/logger.ts';
import type { RepeatSummary } from '../platform/repeat-summary.ts';
import type { StoreClient } from '../store/store-client.ts';
import { RefusedCounts } from './refused-counts.ts';
import type { RunningParts } from './running-parts.ts';
import { serialRoutes } from './serial-ports.ts';
import { StatsPoll } from './stats-poll.ts';

/** A full store settles nothing; the sources have waited for it already. */
const INGEST_STOP_MS = 500;

/** The parts between the store and the outside. */
export interface Core {
  readonly devices: DeviceTable;
  /** Sources that can write to devices add themselves to it. */
  readonly commands: CommandDesk;
  readonly refused: RefusedCounts;
  readonly shares: Shares;
  readonly ingest: Ingest;
  readonly stats: StatsPoll;
}

export interface CoreOptions {
  readonly config: Config;
  readonly client: StoreClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly repeats: RepeatSummary;
}

/** Started and stopped by whoever composes. */
export function composeCore({ config, client, clock, logger, repeats }: CoreOptions): Core {
  const { max: maxDevices, maxMetrics, maxMessageRate } = config.devices;
  const { highWater, shareWindow, maxAge, whenFull } = config.buffer;
  const read: StoreClient['read'] = (stream, after, limit) => client.read(stream, after, limit);
  const devices = new DeviceTable({ maxDevices, maxMetrics }, { state: client, read, logger, now: () => clock.now() });
  const refused = new RefusedCounts(repeats);
  const shares = new Shares({
    highWater: highWater / 100,
    windowMs: shareWindow,
    keptMs: maxAge,
    refuses: whenFull === 'drop_oldest',
  });
  const ingest = new Ingest({
    log: client,
    routes: config.mqtt.routes,
    serialRoutes: config.serial.flatMap(serialRoutes),
    clock,
    shares,
    rates: new DeviceRates({ ratePerS: maxMessageRate }),
    onAccepted: (observations) => devices.recordsAccepted(observations),
    onRefused: (message, reason) => refused.add(message, reason),
  });
  const monotonic = () => performance.now();
  const commands = new CommandDesk({ clock: { now: () => clock.now(), monotonic }, logger });
  return { devices, commands, refused, shares, ingest, stats: new StatsPoll(() => client.stats(), logger) };
}

export function stopWith(running: RunningParts, { commands, ingest, devices }: Core): void {
  running.add('commands', () => commands.stop());
  running.add('ingest', () => Promise.race([ingest.settled(), delay(INGEST_STOP_MS, undefined, { ref: false })]));
  running.add('devices', () => devices.stop());
}
