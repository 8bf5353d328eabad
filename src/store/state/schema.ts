/** `state.db`: small and precious. docs/store-format.md says the same for people. */
export const STATE_MIGRATIONS: readonly string[] = [
  `
  -- seq_reserved: no seq above it was ever given out. seen_up_to: devices are derived from the log up to here.
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  CREATE TABLE devices (
    id            TEXT PRIMARY KEY,
    secret_hash   TEXT,
    first_seen_at INTEGER,
    last_seen_at  INTEGER,
    latest        TEXT
  ) STRICT, WITHOUT ROWID;

  -- An MQTT client id belongs to the first identity that used it, a device's id to that device; owner '' is the anonymous one.
  CREATE TABLE client_ids (
    client_id TEXT PRIMARY KEY,
    owner     TEXT NOT NULL,
    claimed_at   INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX client_ids_by_owner ON client_ids (owner, claimed_at);

  CREATE TABLE paused_uplinks (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  `,
  `
  -- MQTT sessions that outlive their connection; owner '' is the anonymous one. What is queued for them is in log.db.
  CREATE TABLE sessions (
    id         INTEGER PRIMARY KEY,
    client_id  TEXT NOT NULL UNIQUE,
    owner      TEXT NOT NULL,
    away_since INTEGER
  ) STRICT;
  CREATE TABLE subscriptions (
    session INTEGER NOT NULL,
    topic   TEXT NOT NULL,
    qos     INTEGER NOT NULL,
    PRIMARY KEY (session, topic)
  ) STRICT, WITHOUT ROWID;

  -- Written behind: log.db knows what is newer.
  CREATE TABLE retained (
    topic   TEXT PRIMARY KEY,
    place   INTEGER NOT NULL,
    qos     INTEGER NOT NULL,
    payload BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Of MQTT clients that are connected; owner '' is the anonymous one.
  CREATE TABLE wills (
    id        INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL,
    owner     TEXT NOT NULL,
    topic     TEXT NOT NULL,
    qos       INTEGER NOT NULL,
    retain    INTEGER NOT NULL,
    payload   BLOB NOT NULL
  ) STRICT;

  -- Of MQTT 5.
  ALTER TABLE subscriptions ADD COLUMN identifier INTEGER;
  `,
  `
  -- Checksums of what a row says of its device, see row-sums.ts; null in rows of before.
  ALTER TABLE devices ADD COLUMN secret_sum INTEGER;
  ALTER TABLE devices ADD COLUMN seen_sum INTEGER;
  `,
  `
  -- Checksums of all other rows, see row-sums.ts; null in rows of before. subscribed: of the session's subscriptions.
  ALTER TABLE meta ADD COLUMN sum INTEGER;
  ALTER TABLE client_ids ADD COLUMN sum INTEGER;
  ALTER TABLE paused_uplinks ADD COLUMN sum INTEGER;
  ALTER TABLE sessions ADD COLUMN sum INTEGER;
  ALTER TABLE sessions ADD COLUMN subscribed INTEGER;
  ALTER TABLE wills ADD COLUMN sum INTEGER;
  ALTER TABLE retained ADD COLUMN sum INTEGER;
  `,
];
