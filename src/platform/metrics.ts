import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { LaneStats } from '../core/log-stats.ts';
import type { GatewayViews } from '../core/views.ts';
import { EventLoopDelay } from './event-loop-delay.ts';

export interface HttpRequestLabels {
  /** The route's pattern, never the path that was asked for. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
}

const LOOP_QUANTILES = [0.5, 0.99, 1];
const COMMIT_BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const HTTP_BUCKETS_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Prometheus metrics of the process. Counts that others keep are copied when somebody asks, so they cost nothing before. */
export class Metrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #registry = new Registry();
  readonly #loopDelay = new EventLoopDelay();
  readonly #commitDuration = new Histogram({
    name: 'sluice_buffer_commit_duration_seconds',
    help: 'Time from handing a group of entries to the disk until it is safe there.',
    buckets: COMMIT_BUCKETS_SECONDS,
    registers: [this.#registry],
  });
  readonly #httpDuration = new Histogram({
    name: 'sluice_http_request_duration_seconds',
    help: 'Time to answer a request.',
    labelNames: ['route', 'method', 'status'],
    buckets: HTTP_BUCKETS_SECONDS,
    registers: [this.#registry],
  });
  readonly #counters = {
    refused: this.#counter(
      'sluice_messages_refused_total',
      'Messages that are not taken: they cannot be what their topic says, or their device is over its share.',
      ['source', 'reason'],
    ),
    accepted: this.#counter('sluice_records_accepted_total', 'Records stored durably.', ['stream']),
    delivered: this.#counter('sluice_records_delivered_total', 'Records confirmed by the upstream.', [
      'uplink',
      'stream',
    ]),
    rejected: this.#counter('sluice_records_rejected_total', 'Records the upstream can never take.', [
      'uplink',
      'stream',
    ]),
    dropped: this.#counter('sluice_records_dropped_total', 'Records removed undelivered by a limit.', [
      'uplink',
      'stream',
      'reason',
    ]),
    overShare: this.#counter(
      'sluice_records_over_share_total',
      'Records refused because their device was over its share of a buffer that ran full.',
      ['stream'],
    ),
    replayed: this.#counter('sluice_records_replayed_total', 'Records sent again because somebody asked for it.', [
      'uplink',
    ]),
    commandsFinished: this.#counter('sluice_commands_finished_total', 'Commands, by what became of them.', ['state']),
    commandsRefused: this.#counter(
      'sluice_commands_refused_total',
      'Commands published over MQTT to devices that take them another way, and not given.',
      ['reason'],
    ),
    responsesIgnored: this.#counter(
      'sluice_command_responses_ignored_total',
      'Responses over MQTT that no command waits for, or that are none.',
      ['reason'],
    ),
    serialFrames: this.#counter('sluice_serial_frames_total', 'Frames on serial lines, by what became of them.', [
      'port',
      'result',
    ]),
    serialBytes: this.#counter('sluice_serial_bytes_total', 'Bytes read from serial ports.', ['port']),
    serialReconnects: this.#counter(
      'sluice_serial_reconnects_total',
      'Times a serial port was opened again after it was gone or silent.',
      ['port'],
    ),
    written: this.#counter('sluice_buffer_written_bytes_total', 'Bytes written to the store.', []),
  };
  readonly #gauges = {
    pending: this.#gauge('sluice_records_pending', 'Records that wait for the upstream.', ['uplink', 'stream']),
    bytes: this.#gauge('sluice_buffer_bytes', 'Bytes the store takes on disk.', []),
    room: this.#gauge(
      'sluice_buffer_room_bytes',
      'Bytes that may still be stored before records are dropped that no uplink has delivered.',
      [],
    ),
    oldestPending: this.#gauge(
      'sluice_buffer_oldest_pending_seconds',
      'Age of the oldest pending record, 0 when none is.',
      ['uplink'],
    ),
    up: this.#gauge('sluice_uplink_up', '1 while the upstream can be reached.', ['uplink']),
    lag: this.#gauge('sluice_uplink_lag_seconds', 'How far delivery is behind acceptance, 0 when all is delivered.', [
      'uplink',
    ]),
    commandsUnfinished: this.#gauge(
      'sluice_commands_unfinished',
      'Commands that wait for their device or its answer.',
      [],
    ),
    mqttClients: this.#gauge('sluice_mqtt_clients', 'MQTT clients connected.', []),
    serialUp: this.#gauge('sluice_serial_port_up', '1 while the serial port is open.', ['port']),
    loopDelay: this.#gauge(
      'sluice_event_loop_delay_seconds',
      'Lateness of the main event loop since the last scrape.',
      ['quantile'],
    ),
    bytesPerRecord: this.#gauge(
      'sluice_written_bytes_per_record',
      'What the gateway writes for each record that it accepts, since its start.',
      [],
    ),
    bytesPerDay: this.#gauge(
      'sluice_written_bytes_per_day',
      'What the gateway writes, at the rate since its start.',
      [],
    ),
    deviceBytesPerDay: this.#gauge(
      'sluice_device_written_bytes_per_day',
      'What all programs write to the device that holds the store, at the rate since the start.',
      [],
    ),
    cardLife: this.#gauge('sluice_card_life_days', 'What a new card lasts at this rate.', []),
    clockSynced: this.#gauge('sluice_clock_synced', '1 when the clock is synchronised, or nobody can tell.', []),
    buildInfo: this.#gauge('sluice_build_info', 'Always 1.', ['version', 'node', 'arch']),
  };

  start(): void {
    collectDefaultMetrics({ register: this.#registry });
    this.#loopDelay.start();
  }

  stop(): void {
    this.#loopDelay.stop();
  }

  observeCommit(seconds: number): void {
    this.#commitDuration.observe(seconds);
  }

  observeHttpRequest(labels: HttpRequestLabels, seconds: number): void {
    this.#httpDuration.observe({ ...labels }, seconds);
  }

  /** The text exposition format, of this moment. */
  render(views: GatewayViews, now: number): Promise<string> {
    for (const metric of [...Object.values(this.#counters), ...Object.values(this.#gauges)]) metric.reset();
    this.#copyBuffer(views);
    this.#copyUplinks(views, now);
    this.#copyCommands(views);
    this.#copySerial(views);
    this.#copyWear(views);
    this.#copyGateway(views);
    return this.#registry.metrics();
  }

  #copyBuffer(views: GatewayViews): void {
    const stats = views.stats();
    this.#gauges.bytes.set(stats.bytes);
    if (Number.isFinite(stats.room.bytes)) this.#gauges.room.set(stats.room.bytes);
    this.#counters.written.inc(stats.writtenBytes);
    for (const { stream, acceptedCount, overShareCount } of stats.streams) {
      this.#counters.accepted.inc({ stream }, acceptedCount);
      this.#counters.overShare.inc({ stream }, overShareCount);
    }
    for (const lane of stats.lanes) this.#copyLane(lane);
    for (const { uplink, replayedCount } of stats.uplinks) this.#counters.replayed.inc({ uplink }, replayedCount);
  }

  #copyLane(lane: LaneStats): void {
    const labels = { uplink: lane.uplink, stream: lane.stream };
    this.#counters.delivered.inc(labels, lane.deliveredCount);
    this.#counters.rejected.inc(labels, lane.rejectedCount);
    for (const [reason, count] of Object.entries(lane.droppedByReason))
      this.#counters.dropped.inc({ ...labels, reason }, count);
    this.#gauges.pending.set(labels, lane.pendingCount);
  }

  #copyUplinks(views: GatewayViews, now: number): void {
    const { lanes } = views.stats();
    for (const { name, link } of views.uplinks.list()) {
      const waiting = lanes.filter((lane) => lane.uplink === name).map((lane) => lane.oldestPendingAt ?? now);
      const ageSeconds = Math.max(0, now - Math.min(now, ...waiting)) / 1000;
      this.#gauges.up.set({ uplink: name }, link.state === 'up' ? 1 : 0);
      this.#gauges.oldestPending.set({ uplink: name }, ageSeconds);
      this.#gauges.lag.set({ uplink: name }, ageSeconds);
    }
  }

  #copyCommands(views: GatewayViews): void {
    const { finished, unfinished, refused, ignoredResponses } = views.commands();
    this.#gauges.commandsUnfinished.set(unfinished);
    for (const [state, count] of Object.entries(finished)) this.#counters.commandsFinished.inc({ state }, count);
    for (const [reason, count] of Object.entries(refused)) this.#counters.commandsRefused.inc({ reason }, count);
    for (const [reason, count] of Object.entries(ignoredResponses))
      this.#counters.responsesIgnored.inc({ reason }, count);
  }

  #copySerial(views: GatewayViews): void {
    for (const { name: port, state, frames, byteCount, reconnectCount } of views.serialPorts()) {
      this.#gauges.serialUp.set({ port }, state === 'open' ? 1 : 0);
      this.#counters.serialBytes.inc({ port }, byteCount);
      this.#counters.serialReconnects.inc({ port }, reconnectCount);
      for (const [result, count] of Object.entries(frames)) this.#counters.serialFrames.inc({ port, result }, count);
    }
  }

  /** What nobody knows is left out: 0 would be taken for a figure. */
  #copyWear(views: GatewayViews): void {
    const { bytesPerRecord, bytesPerDay, deviceBytesPerDay, cardLifeDays } = views.wear();
    const { bytesPerRecord: record, bytesPerDay: own, deviceBytesPerDay: device, cardLife } = this.#gauges;
    const values = [
      [record, bytesPerRecord],
      [own, bytesPerDay],
      [device, deviceBytesPerDay],
      [cardLife, cardLifeDays],
    ] as const;
    for (const [gauge, value] of values) {
      gauge.remove();
      if (value !== null) gauge.set(value);
    }
  }

  #copyGateway(views: GatewayViews): void {
    const info = views.info();
    for (const { source, reason, count } of views.messages().refused)
      this.#counters.refused.inc({ source, reason }, count);
    this.#gauges.mqttClients.set(views.mqttClientCount());
    this.#gauges.clockSynced.set(info.clock === 'unsynced' ? 0 : 1);
    this.#gauges.buildInfo.set({ version: info.version, node: info.platform.node, arch: info.platform.arch }, 1);
    const delays = this.#loopDelay.take(LOOP_QUANTILES);
    for (const [index, seconds] of delays.entries())
      this.#gauges.loopDelay.set({ quantile: String(LOOP_QUANTILES[index]) }, seconds);
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #gauge<Label extends string>(name: string, help: string, labelNames: Label[]): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.#registry] });
  }
}
