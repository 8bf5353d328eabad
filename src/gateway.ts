import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { WaitingRoom } from './api/waiting-room.ts';
import type { Config } from './config/config.ts';
import type { KeptStore } from './core/browser.ts';
import type { SluiceError } from './core/errors.ts';
import type { LogStats, ReplayStore, SessionStore } from './core/ports.ts';
import { DeviceTable } from './devices/device-table.ts';
import { checkFiles } from './gateway/check-files.ts';
import { forgottenLanes } from './gateway/forgotten-lanes.ts';
import { ReaderThread } from './gateway/reader-thread.ts';
import { RefusedCounts } from './gateway/refused-counts.ts';
import { Replays } from './gateway/replays.ts';
import { RunningParts } from './gateway/running-parts.ts';
import { StatsPoll } from './gateway/stats-poll.ts';
import { storeOptionsOf } from './gateway/store-options.ts';
import { StoreThread } from './gateway/store-thread.ts';
import { UplinkThread } from './gateway/uplink-thread.ts';
import { Views } from './gateway/views.ts';
import { Wear } from './gateway/wear.ts';
import { DeviceRates } from './ingest/device-rates.ts';
import { Ingest } from './ingest/ingest.ts';
import { Shares } from './ingest/shares.ts';
import { SystemClock } from './platform/clock.ts';
import { DescriptorWatch } from './platform/descriptor-watch.ts';
import { readDiskWrites } from './platform/disk-writes.ts';
import { createLogger, type Logger } from './platform/logger.ts';
import { Metrics } from './platform/metrics.ts';
import { RepeatSummary } from './platform/repeat-summary.ts';
import { giveBackStartMemory } from './platform/start-memory.ts';
import { createServiceManager, type ServiceManager } from './platform/systemd.ts';
import { VERSION } from './platform/version.ts';
import type { MqttSource, MqttSourceOptions } from './sources/mqtt/mqtt-source.ts';
import type { StoreOpened } from './store/protocol.ts';
import type { StoreClient } from './store/store-client.ts';

/** What the thread of the forwarders may take to end, once they have stopped. */
const THREAD_END_MS = 250;
/** A full store settles nothing; the sources have waited for it already. */
const INGEST_STOP_MS = 500;

/** The parts between the store and the outside. */
interface Core {
  readonly devices: DeviceTable;
  readonly refused: RefusedCounts;
  readonly shares: Shares;
  readonly ingest: Ingest;
  readonly stats: StatsPoll;
}

/** The composition root: builds every part, hands it what it needs, starts and stops all in order. */
export class Gateway {
  /** Resolves when something happened that only a new process can mend. */
  readonly failed: Promise<Error>;
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #manager: ServiceManager;
  readonly #uplinks: UplinkThread;
  readonly #clock = new SystemClock();
  readonly #metrics = new Metrics();
  readonly #repeats: RepeatSummary;
  readonly #descriptors: DescriptorWatch;
  readonly #stopping = new AbortController();
  readonly #running: RunningParts;
  readonly #fail: (error: Error) => void;

  constructor(config: Config) {
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.failed = promise;
    this.#fail = resolve;
    this.#config = config;
    this.#logger = createLogger(config.log);
    this.#running = new RunningParts(this.#logger);
    this.#manager = createServiceManager({ logger: this.#logger, environment: process.env });
    this.#repeats = new RepeatSummary({ logger: this.#logger });
    this.#descriptors = new DescriptorWatch({ logger: this.#logger });
    const onDeath = (error: SluiceError) => this.#die(error);
    this.#uplinks = new UplinkThread({ uplinks: config.uplinks, onDeath });
  }

  /** @throws SluiceError what keeps it from starting; an upstream that cannot be reached does not. */
  async start(): Promise<void> {
    await checkFiles(this.#config);
    this.#clock.start();
    this.#metrics.start();
    this.#descriptors.start();
    // Loading code is what takes time: the workers boot while this thread loads the broker, and devices are served
    // while it loads the API.
    const store = this.#spawnThreads();
    const loading = import('./sources/mqtt/mqtt-source.ts');
    const opened = await store.open(storeOptionsOf(this.#config));
    for (const repair of opened.repairs) this.#logger.error({ repair }, 'the store was damaged');
    const core = this.#compose(store.client);
    this.#running.add('devices', () => core.devices.stop());
    await core.devices.start();
    core.shares.know(core.devices.known());
    await this.#startUplinks(store.client, opened);
    this.#stopping.signal.throwIfAborted();
    this.#running.add('stats', () => core.stats.stop());
    await core.stats.start();
    this.#warnOfForgotten(core.stats.latest());
    const mqtt = await this.#startMqtt(await loading, core, { ...opened, sessions: store.client });
    this.#stopping.signal.throwIfAborted();
    await this.#startApi({ ...core, kept: store.client, replays: store.client }, mqtt, opened);
    this.#manager.feedWatchdog(() => !core.stats.isStuck());
    await this.#manager.ready();
    giveBackStartMemory();
    const { gatewayId, epoch } = opened;
    this.#logger.info({ gateway: gatewayId, epoch, version: VERSION, readyMs: Math.round(performance.now()) }, 'ready');
  }

  /** Safe when `start` failed or has not ended. Never rejects. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    await this.#manager.stopping();
    await this.#running.stop();
    this.#repeats.stop();
    this.#metrics.stop();
    this.#descriptors.stop();
    this.#clock.stop();
    this.#logger.info({}, 'stopped');
    this.#manager.close();
  }

  #spawnThreads(): StoreThread {
    const { store, lanes } = StoreThread.spawn({
      onCommit: (seconds) => this.#metrics.observeCommit(seconds),
      onDeath: (error) => this.#die(error),
    });
    this.#running.add('store', () => store.close());
    this.#running.add('commits', () => store.client.hurry());
    this.#uplinks.spawn(lanes);
    this.#running.add('uplinks', (limitMs) => this.#uplinks.stop({ deadlineMs: Math.max(limitMs - THREAD_END_MS, 0) }));
    return store;
  }

  #compose(client: StoreClient): Core {
    const { max: maxDevices, maxMetrics, maxMessageRate } = this.#config.devices;
    const { highWater, shareWindow, whenFull } = this.#config.buffer;
    const logger = this.#logger;
    const clock = this.#clock;
    const read: StoreClient['read'] = (stream, after, limit) => client.read(stream, after, limit);
    const devices = new DeviceTable(
      { maxDevices, maxMetrics },
      { state: client, read, logger, now: () => clock.now() },
    );
    const refused = new RefusedCounts(this.#repeats);
    const shares = new Shares({
      highWater: highWater / 100,
      windowMs: shareWindow,
      refuses: whenFull === 'drop_oldest',
    });
    const ingest = new Ingest({
      log: client,
      routes: this.#config.mqtt.routes,
      clock,
      shares,
      rates: new DeviceRates({ ratePerS: maxMessageRate }),
      onAccepted: (observations) => devices.recordsAccepted(observations),
      onRefused: (message, reason) => refused.add(message, reason),
    });
    this.#running.add('ingest', () =>
      Promise.race([ingest.settled(), delay(INGEST_STOP_MS, undefined, { ref: false })]),
    );
    return { devices, refused, shares, ingest, stats: new StatsPoll(() => client.stats(), logger) };
  }

  async #startUplinks(client: StoreClient, opened: StoreOpened): Promise<void> {
    const { log, mqtt } = this.#config;
    const { gatewayId, instanceId, epoch, firstSeq, logFile } = opened;
    const routes = mqtt.routes.map(({ topic, stream, kafkaTopic }) => ({ topic, stream, kafkaTopic }));
    const identity = { gatewayId, instanceId, hostName: hostname(), epoch, firstSeq };
    await this.#uplinks.start(client, { ...identity, routes, logFile, logger: log });
    void this.#openGate(client);
  }

  async #startMqtt(
    { MqttSource }: { MqttSource: new (options: MqttSourceOptions) => MqttSource },
    { devices, ingest }: Core,
    { openHandshakes, sessions }: StoreOpened & { sessions: SessionStore },
  ): Promise<MqttSource> {
    const { mqtt: options, buffer } = this.#config;
    const ports = { intake: ingest, access: devices, presence: devices, sessions, logger: this.#logger };
    const queueBudgetBytes = buffer.maxBytes / 8;
    const mqtt = new MqttSource({ options, ...ports, clock: this.#clock, openHandshakes, queueBudgetBytes });
    this.#running.add('mqtt', () => mqtt.stop());
    await mqtt.start();
    return mqtt;
  }

  async #startApi(
    core: Core & { kept: KeptStore; replays: ReplayStore },
    mqtt: MqttSource,
    opened: StoreOpened,
  ): Promise<void> {
    const { api: options, gateway, devices, http } = this.#config;
    const { ApiServer } = await import('./api/server.ts');
    const { gatewayId, epoch, logFile } = opened;
    const identity = { gatewayId, epoch, dataDir: gateway.dataDir };
    const browser = new ReaderThread({ logFile, onDeath: (error) => this.#die(error) });
    this.#running.add('reader', () => browser.stop());
    const wear = this.#wear(core.stats);
    wear.start();
    const views = new Views({ ...core, mqtt, uplinks: this.#uplinks, clock: this.#clock, identity, wear });
    const api = new ApiServer({ ...options, controlSocket: join(gateway.dataDir, 'control.sock') }, views, {
      metrics: this.#metrics,
      logger: this.#logger,
      now: () => this.#clock.now(),
      staleAfterMs: devices.staleAfter,
      maxBodyBytes: options.maxBodySize,
      intake: core.ingest,
      browser,
      kept: core.kept,
      replays: new Replays(core.replays, () => this.#uplinks.lookForReplays()),
      room: new WaitingRoom({ maxBytes: http.maxWaiting, timeoutMs: http.storeTimeout }),
      webDirectory: join(import.meta.dirname, 'web'),
    });
    this.#running.add('api', () => api.stop());
    await api.start();
  }

  #wear(stats: StatsPoll): Wear {
    const { buffer, gateway } = this.#config;
    return new Wear({
      writes: () => readDiskWrites(gateway.dataDir),
      acceptedCount: () => stats.latest().streams.reduce((sum, { acceptedCount }) => sum + acceptedCount, 0),
      enduranceBytes: buffer.cardEndurance,
      now: () => performance.now(),
    });
  }

  /**
   * Forwarding waits for the first time synchronisation, so that records get true times, and for what is put back of a
   * damaged log, so that the oldest go first; storing does not.
   */
  async #openGate(client: StoreClient): Promise<void> {
    const state = await this.#clock.waitForSync(this.#config.clock.waitForSync, this.#stopping.signal);
    const corrected = this.#correctTimes(client);
    if (state !== 'unsynced') await corrected;
    // Without a store the process ends.
    await client.salvaged().catch(() => this.#stopping.abort());
    if (this.#stopping.signal.aborted) return;
    if (state === 'unsynced') this.#logger.warn({}, 'the clock is not synchronised; forwarding begins all the same');
    await this.#uplinks.openGate();
  }

  /** Records from before the first synchronisation get their true times by it, however late it comes. */
  async #correctTimes(client: StoreClient): Promise<void> {
    await this.#clock.waitForSync(Number.POSITIVE_INFINITY, this.#stopping.signal);
    const boot = this.#clock.bootStart();
    if (this.#stopping.signal.aborted || boot === undefined) return;
    // Without a store the process ends.
    await client.noteSync(boot).catch(() => undefined);
  }

  /** Lanes stay when they leave the configuration: they may come back, and nothing is lost silently. */
  #warnOfForgotten({ lanes }: LogStats): void {
    for (const [uplink, forgotten] of Map.groupBy(forgottenLanes(lanes, this.#config.uplinks), (lane) => lane.uplink)) {
      const streams = forgotten.map(({ stream }) => stream);
      this.#logger.warn(
        { uplink, streams },
        'an uplink does not carry streams any more that it carried; their records wait until a limit',
      );
    }
  }

  /** A thread ended by itself: what is asked of it fails, and the process must end. */
  #die(error: SluiceError): void {
    this.#uplinks.fail(error);
    this.#fail(error);
  }
}

export function createGateway(config: Config): Gateway {
  return new Gateway(config);
}
