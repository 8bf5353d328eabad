/** The parts of the gateway's documents that `sluice status` reads; the REST API writes them. */

export interface GatewayDocument {
  readonly id: string;
  readonly version: string;
  readonly uptime_seconds: number;
  readonly clock: 'synced' | 'unsynced' | 'unknown';
  readonly data_dir: string;
  readonly disk: { readonly free_bytes: number; readonly keep_free_bytes: number };
  readonly devices: number;
  readonly mqtt: { readonly clients: number };
  readonly messages: {
    readonly refused: readonly { readonly source: string; readonly reason: string; readonly count: number }[];
    readonly denied: number;
    readonly local: number;
  };
}

export interface BufferDocument {
  readonly used_bytes: number;
  readonly max_bytes: number;
  readonly room_bytes: number;
  readonly full: string | null;
  readonly salvaged: number | null;
  readonly set_aside_bytes: number;
  readonly wear: {
    readonly bytes_per_record: number | null;
    readonly bytes_per_day: number | null;
    readonly device_bytes_per_day: number | null;
    readonly card_life_days: number | null;
  };
  readonly streams: readonly {
    readonly stream: string;
    readonly accepted: number;
    readonly stored: number;
    readonly over_share: number;
  }[];
}

export interface UplinkDocument {
  readonly name: string;
  readonly type: string;
  readonly state: 'connecting' | 'up' | 'down' | 'blocked' | 'paused' | 'stopped';
  readonly reason: string | null;
  readonly rate: number;
  readonly lag_seconds: number;
  readonly seconds_to_drained: number | null;
  readonly sent_bytes_today: number | null;
  readonly max_bytes_per_second: number | null;
  readonly max_bytes_per_day: number | null;
  readonly backfills: readonly { readonly stream: string }[];
  readonly totals: {
    readonly accepted: number;
    readonly delivered: number;
    readonly rejected: number;
    readonly dropped: number;
    readonly pending: number;
  };
}

export interface ReplayDocument {
  readonly id: number;
  readonly uplink: string;
  readonly stream: string;
  readonly device: string | null;
  readonly state: 'active' | 'done';
  readonly delivered: number;
  readonly rejected: number;
  readonly removed: number;
}

export interface DevicesDocument {
  readonly devices: readonly { readonly age_seconds: number | null; readonly stale: boolean }[];
  /** Null when these are all. */
  readonly next_cursor: string | null;
}

export interface HealthDocument {
  readonly status: 'ready' | 'degraded' | 'failed';
  readonly parts: readonly { readonly name: string; readonly status: string; readonly reason: string | null }[];
}

export interface StatusDocuments {
  readonly gateway: GatewayDocument;
  readonly buffer: BufferDocument;
  readonly uplinks: { readonly uplinks: readonly UplinkDocument[] };
  readonly replays: { readonly replays: readonly ReplayDocument[] };
  readonly devices: DevicesDocument;
  readonly health: HealthDocument;
}
