import type { CommandCounts } from '../../src/core/commands.ts';
import { SluiceError } from '../../src/core/errors.ts';
import type { LaneStats, LogStats } from '../../src/core/log-stats.ts';
import { parseSecretHash } from '../../src/core/secret-hash.ts';
import type { LinkStatus } from '../../src/core/upstream.ts';
import type {
  DeviceDirectory,
  DeviceRegistry,
  DeviceView,
  GatewayInfo,
  GatewayViews,
  HealthPart,
  LatestMetric,
  MessageCounts,
  OfferedSerialPort,
  SerialPortView,
  UplinkControl,
  UplinkView,
  WearView,
} from '../../src/core/views.ts';

/** 2026-05-01T12:00:00Z: what the fakes take for now. */
export const FAKE_NOW = Date.UTC(2026, 4, 1, 12);

export function laneStats(changes: Partial<LaneStats> = {}): LaneStats {
  return {
    uplink: 'plant',
    stream: 'telemetry',
    cursor: 70,
    acceptedCount: 100,
    deliveredCount: 70,
    rejectedCount: 2,
    droppedCount: 8,
    droppedByReason: { max_bytes: 5, max_age: 3 },
    pendingCount: 20,
    oldestPendingAt: FAKE_NOW - 90_000,
    ...changes,
  };
}

export function linkStatus(changes: Partial<LinkStatus> = {}): LinkStatus {
  return {
    state: 'up',
    reason: null,
    code: null,
    since: FAKE_NOW - 3_600_000,
    retryAt: null,
    lastDeliveredAt: FAKE_NOW - 1_000,
    rate: 10,
    byteRate: 0,
    ...changes,
  };
}

export function uplinkView(changes: Partial<UplinkView> = {}): UplinkView {
  const limits = { maxBytesPerSecond: null, maxBytesPerDay: null, eventsOverBudget: false };
  return { name: 'plant', type: 'kafka', streams: ['telemetry', 'gaps'], ...limits, link: linkStatus(), ...changes };
}

export function logStats(changes: Partial<LogStats> = {}): LogStats {
  return {
    epoch: 'a1b2c3',
    streams: [
      {
        stream: 'telemetry',
        acceptedCount: 100,
        storedCount: 90,
        lastSeq: 110,
        oldestReceivedAt: FAKE_NOW - 90_000,
        overShareCount: 4,
      },
      { stream: 'events', acceptedCount: 10, storedCount: 0, lastSeq: 12, oldestReceivedAt: null, overShareCount: 0 },
    ],
    lanes: [
      laneStats(),
      laneStats({
        stream: 'events',
        acceptedCount: 10,
        deliveredCount: 10,
        rejectedCount: 0,
        droppedCount: 0,
        droppedByReason: {},
        pendingCount: 0,
        oldestPendingAt: null,
      }),
    ],
    backfills: [],
    uplinks: [],
    bytes: 4_096,
    maxBytes: 1_000_000,
    room: { bytes: 600_000, capacityBytes: 950_000 },
    freeBytes: 5_000_000,
    keepFreeBytes: 500_000,
    maxAgeMs: 30 * 86_400_000,
    refusedCount: 3,
    rejectsCount: 2,
    writtenBytes: 123_456,
    salvaged: null,
    setAsideBytes: 0,
    salvageStuck: null,
    full: null,
    ...changes,
  };
}

/** Some devices in memory. */
export class FakeDevices implements DeviceDirectory, DeviceRegistry {
  readonly views = new Map<string, DeviceView>();
  readonly latestOf = new Map<string, readonly LatestMetric[]>();

  put(id: string, changes: Partial<DeviceView> = {}, latest: readonly LatestMetric[] = []): void {
    const view = {
      id,
      online: false,
      provisioned: false,
      firstSeenAt: FAKE_NOW,
      lastSeenAt: FAKE_NOW,
      metricCount: latest.length,
    };
    this.views.set(id, { ...view, ...changes });
    this.latestOf.set(id, latest);
  }

  list(after: string, limit: number): readonly DeviceView[] {
    const ids = [...this.views.keys()].filter((id) => id > after).sort((a, b) => (a < b ? -1 : 1));
    return ids.slice(0, limit).flatMap((id) => this.views.get(id) ?? []);
  }

  get(id: string): DeviceView | undefined {
    return this.views.get(id);
  }

  async adopt(id: string, secretHash: string): Promise<void> {
    if (parseSecretHash(secretHash) === undefined) throw new SluiceError('no hash', { code: 'bad_secret_hash' });
    this.put(id, { provisioned: true });
  }

  latest(id: string): readonly LatestMetric[] | undefined {
    return this.latestOf.get(id);
  }

  count(): number {
    return this.views.size;
  }

  async add(id: string, secret = 'generated-secret-of-the-fake'): Promise<string> {
    if (this.views.get(id)?.provisioned) throw new SluiceError(`device ${id} exists`, { code: 'device_exists' });
    if (secret.length < 16) throw new SluiceError('too short', { code: 'weak_secret' });
    this.put(id, { provisioned: true });
    return secret;
  }

  async remove(id: string): Promise<boolean> {
    return this.views.delete(id);
  }
}

/** One uplink unless told otherwise. */
export class FakeUplinks implements UplinkControl {
  views: UplinkView[] = [uplinkView()];

  list(): readonly UplinkView[] {
    return this.views;
  }

  async pause(name: string): Promise<boolean> {
    return this.#set(name, { state: 'paused', reason: 'paused by hand', code: 'paused' });
  }

  async resume(name: string): Promise<boolean> {
    return this.#set(name, { state: 'connecting', reason: null, code: null });
  }

  #set(name: string, changes: Partial<LinkStatus>): boolean {
    const known = this.views.some((view) => view.name === name);
    this.views = this.views.map((view) => (view.name === name ? { ...view, link: linkStatus(changes) } : view));
    return known;
  }
}

/** A gateway that is well; a test changes what it needs. */
export function serialPortView(changes: Partial<SerialPortView> = {}): SerialPortView {
  return {
    name: 'arduino-1',
    path: '/dev/serial/by-id/usb-Arduino_Uno-if00',
    device: 'greenhouse',
    state: 'open',
    reason: null,
    reconnectCount: 2,
    byteCount: 4711,
    frames: { accepted: 98, checksum: 1, overrun: 3 },
    lastFrameAt: FAKE_NOW - 500,
    badFrames: [{ at: FAKE_NOW - 60_000, reason: 'checksum', byteCount: 3, hex: '016161' }],
    units: [{ unitId: 7, device: 'meter-7', isOnline: true, lastAnswerAt: FAKE_NOW, reason: 'input 52: exception 2' }],
    ...changes,
  };
}

export class FakeViews implements GatewayViews {
  readonly devices = new FakeDevices();
  readonly registry = this.devices;
  readonly uplinks = new FakeUplinks();
  currentStats: LogStats = logStats();
  currentHealth: HealthPart[] = [{ name: 'store', status: 'ok', reason: null }];
  currentInfo: GatewayInfo = {
    id: 'greenhouse-pi',
    epoch: 'a1b2c3',
    version: '1.2.3',
    startedAt: FAKE_NOW - 60_000,
    clock: 'synced',
    platform: { node: '24.0.0', arch: 'arm64', kernel: '6.12' },
    dataDir: '/var/lib/sluice',
  };
  currentMessages: MessageCounts = {
    refused: [{ source: 'mqtt', reason: 'not_json', count: 3 }],
    denied: 4,
    local: 5,
  };

  currentWear: WearView = {
    writtenBytes: 90_000,
    bytesPerRecord: 545.4,
    bytesPerDay: 4_000_000_000,
    deviceBytesPerDay: 5_000_000_000,
    enduranceBytes: 32_000_000_000_000,
    cardLifeDays: 6_400,
  };

  wear(): WearView {
    return this.currentWear;
  }

  info(): GatewayInfo {
    return this.currentInfo;
  }

  stats(): LogStats {
    return this.currentStats;
  }

  currentArrivalRate = 0;

  arrivalRate(): number {
    return this.currentArrivalRate;
  }

  health(): readonly HealthPart[] {
    return this.currentHealth;
  }

  mqttClientCount(): number {
    return 7;
  }

  currentSerialPorts: readonly SerialPortView[] = [serialPortView()];

  currentOffers: readonly OfferedSerialPort[] = [
    {
      path: '/dev/ttyACM0',
      byId: '/dev/serial/by-id/usb-Arduino_Uno-if00',
      vendorId: '2341',
      productId: '0043',
      vendor: 'Arduino',
      product: 'Uno',
      serialNumber: '5543',
      port: 'arduino-1',
      config: '- { name: uno, path: "/dev/serial/by-id/usb-Arduino_Uno-if00", baudRate: 115200 }',
    },
  ];

  async offeredSerialPorts(): Promise<readonly OfferedSerialPort[]> {
    return this.currentOffers;
  }

  serialPorts(): readonly SerialPortView[] {
    return this.currentSerialPorts;
  }

  commands(): CommandCounts {
    const finished = { done: 8, failed: 2, expired: 1, cancelled: 0 };
    return { finished, unfinished: 3, ignoredResponses: { unknown_request: 1 }, refused: { not_json: 2 } };
  }

  messages(): MessageCounts {
    return this.currentMessages;
  }
}
