import { hostname } from 'node:os';
import { join } from 'node:path';
import { ApiServer } from './api/server.ts';
import type { Config } from './config/config.ts';
import type { SluiceError } from './core/errors.ts';
import { DeviceTable } from './devices/device-table.ts';
import { RefusedCounts } from './gateway/refused-counts.ts';
import { StatsPoll } from './gateway/stats-poll.ts';
import { StoreThread } from './gateway/store-thread.ts';
import { UplinkThread } from './gateway/uplink-thread.ts';
import { Views } from './gateway/views.ts';
import { Ingest } from './ingest/ingest.ts';
import { SystemClock } from './platform/clock.ts';
import { createLogger, type Logger } from './platform/logger.ts';
import { readMachineId } from './platform/machine-id.ts';
import { Metrics } from './platform/metrics.ts';
import { RepeatSummary } from './platform/repeat-summary.ts';
import { createServiceManager, type ServiceManager } from './platform/systemd.ts';
import { VERSION } from './platform/version.ts';
import { MqttSource } from './sources/mqtt/mqtt-source.ts';
import type { StoreOpened, StoreOptions } from './store/protocol.ts';

/** Of the ten seconds in which a stop must be done, what the forwarder may use. */
const UPLINK_STOP_MS = 6_000;

/** The parts that need an open store. */
interface Parts {
  readonly devices: DeviceTable;
  readonly uplinks: UplinkThread;
  readonly ingest: Ingest;
  readonly stats: StatsPoll;
  readonly mqtt: MqttSource;
  readonly api: ApiServer;
}

/** The composition root: builds every part, hands it what it needs, starts and stops all in order. */
export class Gateway {
  /** Resolves when something happened that only a new process can mend. */
  readonly failed: Promise<Error>;
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #manager: ServiceManager;
  readonly #clock = new SystemClock();
  readonly #metrics = new Metrics();
  readonly #repeats: RepeatSummary;
  readonly #stopping = new AbortController();
  readonly #fail: (error: Error) => void;
  #store: StoreThread | undefined;
  #parts: Parts | undefined;

  constructor(config: Config) {
    this.#config = config;
    this.#logger = createLogger(config.log);
    this.#manager = createServiceManager({ logger: this.#logger, environment: process.env });
    this.#repeats = new RepeatSummary({ logger: this.#logger });
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    this.#fail = resolve;
  }

  /** @throws SluiceError what keeps it from starting; an upstream that cannot be reached does not. */
  async start(): Promise<void> {
    this.#clock.start();
    this.#metrics.start();
    this.#store = new StoreThread({
      onCommit: (seconds) => this.#metrics.observeCommit(seconds),
      onDeath: (error) => this.#die(error),
    });
    const opened = await this.#store.open(this.#storeOptions());
    const parts = this.#compose(this.#store, opened);
    this.#parts = parts;
    await parts.devices.start();
    await parts.uplinks.start();
    await parts.stats.start();
    await parts.mqtt.start();
    await parts.api.start();
    void this.#openGate(parts.uplinks);
    this.#manager.feedWatchdog(() => !parts.stats.isStuck());
    await this.#manager.ready();
    const { gatewayId, epoch } = opened;
    this.#logger.info({ gateway: gatewayId, epoch, version: VERSION, readyMs: Math.round(performance.now()) }, 'ready');
  }

  /** In the order of the data, the store last. Safe when `start` failed or has not ended. Never rejects. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    await this.#manager.stopping();
    const parts = this.#parts;
    if (parts !== undefined) {
      await this.#end('mqtt', () => parts.mqtt.stop());
      await this.#end('ingest', () => parts.ingest.settled());
      await this.#end('uplinks', () => parts.uplinks.stop());
      await this.#end('api', () => parts.api.stop());
      await this.#end('stats', () => parts.stats.stop());
      await this.#end('devices', () => parts.devices.stop());
    }
    await this.#end('store', () => this.#store?.close());
    this.#repeats.stop();
    this.#metrics.stop();
    this.#clock.stop();
    this.#logger.info({}, 'stopped');
    this.#manager.close();
  }

  #compose(store: StoreThread, { gatewayId, epoch, logFile, openHandshakes }: StoreOpened): Parts {
    const { client } = store;
    const config = this.#config;
    const logger = this.#logger;
    const clock = this.#clock;
    const devices = new DeviceTable(
      { maxDevices: config.devices.max, maxMetrics: config.devices.maxMetrics },
      {
        state: client,
        read: (stream, after, limit) => client.read(stream, after, limit),
        logger,
        now: () => clock.now(),
      },
    );
    const uplinks = new UplinkThread({
      lanes: store.lanes,
      state: client,
      start: { uplinks: config.uplinks, gatewayId, epoch, logFile, logger: config.log },
      stopDeadlineMs: UPLINK_STOP_MS,
      onDeath: (error) => this.#die(error),
    });
    const refused = new RefusedCounts(this.#repeats);
    const ingest = new Ingest({
      log: client,
      clock,
      onAccepted: (observations) => devices.recordsAccepted(observations),
      onRefused: (message, reason) => refused.add(message, reason),
    });
    const stats = new StatsPoll(() => client.stats(), logger);
    const mqttParts = { intake: ingest, access: devices, presence: devices, logger, openHandshakes };
    const mqtt = new MqttSource({ options: config.mqtt, ...mqttParts });
    const identity = { gatewayId, epoch, dataDir: config.gateway.dataDir };
    const views = new Views({ devices, uplinks, stats, clock, identity, mqtt, refused });
    const api = new ApiServer(
      { listeners: config.api.listeners, controlSocket: join(config.gateway.dataDir, 'control.sock') },
      views,
      { metrics: this.#metrics, logger, now: () => clock.now(), staleAfterMs: config.devices.staleAfter },
    );
    return { devices, uplinks, ingest, stats, mqtt, api };
  }

  #storeOptions(): StoreOptions {
    const { buffer, gateway } = this.#config;
    return {
      dataDir: gateway.dataDir,
      maxBytes: buffer.maxBytes,
      maxAgeMs: buffer.maxAge,
      keepFreeBytes: buffer.keepFree,
      whenFull: buffer.whenFull,
      durability: buffer.durability,
      commitIntervalMs: buffer.commitInterval,
      machineId: readMachineId(),
      gatewayId: gateway.id,
      hostName: hostname(),
    };
  }

  /** Forwarding waits for the first time synchronisation, so that records get true times; storing does not. */
  async #openGate(uplinks: UplinkThread): Promise<void> {
    const state = await this.#clock.waitForSync(this.#config.clock.waitForSync, this.#stopping.signal);
    if (this.#stopping.signal.aborted) return;
    if (state === 'unsynced') this.#logger.warn({}, 'the clock is not synchronised; forwarding begins all the same');
    await uplinks.openGate();
  }

  #die(error: SluiceError): void {
    this.#parts?.uplinks.fail(error);
    this.#fail(error);
  }

  async #end(part: string, stop: () => Promise<void> | void): Promise<void> {
    try {
      await stop();
    } catch (error) {
      this.#logger.error({ part, error }, 'a part could not be stopped in order');
    }
  }
}

export function createGateway(config: Config): Gateway {
  return new Gateway(config);
}
