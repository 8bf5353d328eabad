import type { ReplayDocument, StatusDocuments, UplinkDocument } from '../../src/cli/status-documents.ts';

export function uplinkDocument(changes: Partial<UplinkDocument> = {}): UplinkDocument {
  return {
    name: 'plant',
    type: 'kafka',
    state: 'up',
    reason: null,
    rate: 10,
    lag_seconds: 0,
    seconds_to_drained: 0,
    sent_bytes_today: null,
    max_bytes_per_second: null,
    max_bytes_per_day: null,
    backfills: [],
    totals: { accepted: 100, delivered: 100, rejected: 0, dropped: 0, pending: 0 },
    ...changes,
  };
}

/** What a gateway says of itself when all is well: one client, one device, 100 records, one uplink that has them all. */
export function statusDocuments(changes: {
  readonly gateway?: Partial<StatusDocuments['gateway']>;
  readonly buffer?: Partial<StatusDocuments['buffer']>;
  readonly uplinks?: readonly UplinkDocument[];
  readonly replays?: readonly ReplayDocument[];
  readonly devices?: StatusDocuments['devices']['devices'];
  readonly health?: StatusDocuments['health'];
}): StatusDocuments {
  return {
    gateway: {
      id: 'greenhouse-pi',
      version: '1.2.3',
      uptime_seconds: 273_600,
      clock: 'synced',
      data_dir: '/var/lib/sluice',
      disk: { free_bytes: 20 * 2 ** 30, keep_free_bytes: 512 * 2 ** 20 },
      devices: 1,
      mqtt: { clients: 1 },
      messages: { refused: [], denied: 0, local: 0 },
      ...changes.gateway,
    },
    buffer: {
      used_bytes: 13_002_342,
      max_bytes: 2 * 2 ** 30,
      room_bytes: 1.5 * 2 ** 30,
      full: null,
      salvaged: null,
      set_aside_bytes: 0,
      wear: {
        bytes_per_record: 545,
        bytes_per_day: 5 * 2 ** 30,
        device_bytes_per_day: 6 * 2 ** 30,
        card_life_days: 5_461,
      },
      streams: [
        { stream: 'telemetry', accepted: 100, stored: 100, over_share: 0 },
        { stream: 'gaps', accepted: 0, stored: 0, over_share: 0 },
      ],
      ...changes.buffer,
    },
    uplinks: { uplinks: changes.uplinks ?? [uplinkDocument()] },
    replays: { replays: changes.replays ?? [] },
    devices: { devices: changes.devices ?? [{ age_seconds: 2, stale: false }], next_cursor: null },
    health: changes.health ?? { status: 'ready', parts: [] },
  };
}
