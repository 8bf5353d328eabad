import { hostname } from 'node:os';
import { join } from 'node:path';
import { WaitingRoom } from './api/waiting-room.ts';
import type { Config } from './config/config.ts';
import type { KeptStore } from './core/browser.ts';
import type { SluiceError } from './core/errors.ts';
import type { ReplayStore } from './core/log-stats.ts';
import { checkFiles } from './gateway/check-files.ts';
import { giveBackClientMemory } from './gateway/client-memory.ts';
import { type Core, composeCore, stopWith } from './gateway/core-parts.ts';
import { warnOfForgotten } from './gateway/forgotten-lanes.ts';
import { openGate } from './gateway/gate.ts';
import { ReaderThread } from './gateway/reader-thread.ts';
import { Replays } from './gateway/replays.ts';
import { RunningParts } from './gateway/running-parts.ts';
import { frameKeysApart, loadSerial, type Serial, startSerial } from './gateway/serial.ts';
import { serialRoutes } from './gateway/serial-ports.ts';
import type { Watch } from './gateway/spawn-worker.ts';
import { storeOptionsOf } from './gateway/store-options.ts';
import { StoreThread } from './gateway/store-thread.ts';
import { UplinkThread } from './gateway/uplink-thread.ts';
import { Views } from './gateway/views.ts';
import { wearOf } from './gateway/wear.ts';
import { SystemClock } from './platform/clock.ts';
import { DescriptorWatch } from './platform/descriptor-watch.ts';
import { createLogger, type Logger } from './platform/logger.ts';
import { Metrics } from './platform/metrics.ts';
import { RepeatSummary } from './platform/repeat-summary.ts';
import { giveBackStartMemory } from './platform/start-memory.ts';
import { createServiceManager, type ServiceManager } from './platform/systemd.ts';
import { ThreadWatch, watchLimits } from './platform/thread-watch.ts';
import { VERSION } from './platform/version.ts';
import type { MqttSource, MqttSourceOptions } from './sources/mqtt/mqtt-source.ts';
import type { StoreOpened } from './store/protocol.ts';
import type { StoreClient } from './store/store-client.ts';

/** What the thread of the forwarders may take to end, once they have stopped. */
const THREAD_END_MS = 250;

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
  readonly #threads: ThreadWatch;
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
    const limits = watchLimits(this.#manager.watchdogMs);
    this.#threads = new ThreadWatch({ self: 'main', limits, logger: this.#logger });
    this.#uplinks = new UplinkThread({
      uplinks: config.uplinks,
      watch: this.#watch(),
      whyStuck: () => this.#threads.whyStuck('uplink-worker'),
      onDeath: (error) => this.#die(error),
    });
  }

  /** @throws SluiceError what keeps it from starting; an upstream that cannot be reached does not. */
  async start(): Promise<void> {
    await checkFiles(this.#config);
    this.#clock.start();
    this.#metrics.start();
    this.#descriptors.start();
    this.#threads.start();
    // Loading code is what takes time: the workers boot while this thread loads the broker, and devices are served
    // while it loads the API.
    const store = this.#spawnThreads();
    const loading = import('./sources/mqtt/mqtt-source.ts');
    loadSerial(this.#config.serial);
    const opened = await store.open(storeOptionsOf(this.#config));
    this.#running.add('commits', () => store.client.hurry());
    for (const repair of opened.repairs) this.#logger.error({ repair }, 'the store was damaged');
    const core = composeCore({
      config: this.#config,
      client: store.client,
      clock: this.#clock,
      logger: this.#logger,
      repeats: this.#repeats,
    });
    stopWith(this.#running, core);
    await core.devices.start();
    core.shares.know(core.devices.known());
    await this.#startUplinks(store.client, opened);
    this.#stopping.signal.throwIfAborted();
    this.#running.add('stats', () => core.stats.stop());
    await core.stats.start();
    warnOfForgotten(core.stats.latest(), this.#config.uplinks, this.#logger);
    const mqtt = await this.#startMqtt(await loading, core, { ...opened, store: store.client });
    this.#stopping.signal.throwIfAborted();
    const serial = await this.#startSerial(core, mqtt, opened);
    this.#stopping.signal.throwIfAborted();
    await this.#startApi({ ...core, kept: store.client, replays: store.client }, { mqtt, serial }, opened);
    // Before, the store may have much to repair.
    this.#threads.beats.arm();
    this.#manager.feedWatchdog(() => !this.#threads.isAnyStuck());
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
    this.#threads.stop();
    this.#logger.info({}, 'stopped');
    this.#manager.close();
  }

  #spawnThreads(): StoreThread {
    const { store, lanes } = StoreThread.spawn({
      watch: this.#watch(),
      onCommit: (seconds) => this.#metrics.observeCommit(seconds),
      onDeath: (error) => this.#die(error),
    });
    this.#running.add('store', () => store.close());
    this.#uplinks.spawn(lanes);
    this.#running.add('uplinks', (limitMs) => this.#uplinks.stop({ deadlineMs: Math.max(limitMs - THREAD_END_MS, 0) }));
    return store;
  }

  #watch(): Watch {
    const { beats, limits } = this.#threads;
    return { beats, limits, log: this.#config.log };
  }

  async #startUplinks(client: StoreClient, opened: StoreOpened): Promise<void> {
    const { log, mqtt, serial } = this.#config;
    const { gatewayId, instanceId, epoch, firstSeq, logFile } = opened;
    // A filter of an MQTT route may match the channel of a port, which is none of its topics.
    const routes = [...serial.flatMap(serialRoutes), ...mqtt.routes].map(({ topic, stream, kafkaTopic }) => ({
      topic,
      stream,
      kafkaTopic,
    }));
    const identity = { gatewayId, instanceId, hostName: hostname(), epoch, firstSeq };
    await this.#uplinks.start(client, { ...identity, routes, logFile, logger: log });
    if (this.#config.uplinks.length > 0) await client.forgetLostPositions();
    void openGate({
      store: client,
      clock: this.#clock,
      logger: this.#logger,
      waitForSync: this.#config.clock.waitForSync,
      open: () => this.#uplinks.openGate(),
      stopping: this.#stopping,
    });
  }

  async #startMqtt(
    { MqttSource }: { MqttSource: new (options: MqttSourceOptions) => MqttSource },
    { commands, devices, ingest }: Core,
    { openHandshakes, store }: StoreOpened & { store: StoreClient },
  ): Promise<MqttSource> {
    const { mqtt: options, buffer } = this.#config;
    const ports = { intake: ingest, access: devices, presence: devices, sessions: store, commandDoor: commands };
    const { reachable: onReachable } = commands;
    const common = { logger: this.#logger, clock: this.#clock, giveBackMemory: () => giveBackClientMemory(store) };
    const queueBudgetBytes = buffer.maxBytes / 8;
    const exchanges = { openHandshakes: frameKeysApart(openHandshakes).exchanges };
    const mqtt = new MqttSource({ options, ...ports, ...common, onReachable, ...exchanges, queueBudgetBytes });
    commands.addSink(mqtt.commands);
    this.#running.add('mqtt', () => mqtt.stop());
    await mqtt.start();
    return mqtt;
  }

  async #startSerial(
    { ingest, devices, commands }: Core,
    { speakers }: MqttSource,
    { openHandshakes }: StoreOpened,
  ): Promise<Serial> {
    const serial = await startSerial({
      config: this.#config.serial,
      intake: ingest,
      ...{ speakers, devices, commands },
      openHandshakes,
      logger: this.#logger,
      repeats: this.#repeats,
      now: () => this.#clock.now(),
      watch: this.#watch(),
      onDeath: (error) => this.#die(error),
    });
    this.#running.add('serial', () => serial.stop());
    return serial;
  }

  async #startApi(
    core: Core & { kept: KeptStore; replays: ReplayStore },
    sources: { mqtt: MqttSource; serial: Serial },
    opened: StoreOpened,
  ): Promise<void> {
    const { api: options, gateway, devices, http } = this.#config;
    const { ApiServer } = await import('./api/server.ts');
    const { gatewayId, epoch, logFile } = opened;
    const identity = { gatewayId, epoch, dataDir: gateway.dataDir };
    const browser = new ReaderThread({ logFile, watch: this.#watch(), onDeath: (error) => this.#die(error) });
    this.#running.add('reader', () => browser.stop());
    const wear = wearOf(this.#config, core.stats);
    wear.start();
    const views = new Views({
      ...core,
      ...sources,
      uplinks: this.#uplinks,
      watch: this.#threads,
      clock: this.#clock,
      identity,
      wear,
    });
    const api = new ApiServer({ ...options, controlSocket: join(gateway.dataDir, 'control.sock') }, views, {
      metrics: this.#metrics,
      logger: this.#logger,
      now: () => this.#clock.now(),
      staleAfterMs: devices.staleAfter,
      maxBodyBytes: options.maxBodySize,
      intake: core.ingest,
      browser,
      kept: core.kept,
      commands: core.commands,
      replays: new Replays(core.replays, () => this.#uplinks.lookForReplays()),
      room: new WaitingRoom({ maxBytes: http.maxWaiting, timeoutMs: http.storeTimeout }),
      webDirectory: join(import.meta.dirname, 'web'),
    });
    this.#running.add('api', () => api.stop());
    await api.start();
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
