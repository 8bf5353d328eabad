/**
 * `log.db`, the spine. docs/store-format.md says the same for people.
 *
 * Constraints: records are appended at the newest end and removed only as a range at the oldest end of one stream,
 * so pages become free as a whole; no secondary index, because it would dirty one page per device and commit;
 * counts change in the transaction that changes what they count.
 */
export const LOG_MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- One table per stream; body: see record-codec.
  CREATE TABLE telemetry (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
  CREATE TABLE events    (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
  CREATE TABLE state     (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
  CREATE TABLE responses (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
  CREATE TABLE gaps      (seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;

  -- accepted: ever; removed: taken out again by reclaim; stored = accepted - removed.
  CREATE TABLE streams (
    stream   TEXT PRIMARY KEY,
    accepted INTEGER NOT NULL DEFAULT 0,
    removed  INTEGER NOT NULL DEFAULT 0,
    last_seq INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  INSERT INTO streams (stream) VALUES ('telemetry'), ('events'), ('state'), ('responses'), ('gaps');

  -- base: records of the stream that are not this lane's (before it began; gaps of other uplinks), so that
  -- accepted(lane) = accepted(stream) - base, and pending = accepted - delivered - rejected - dropped.
  CREATE TABLE lanes (
    uplink    TEXT NOT NULL,
    stream    TEXT NOT NULL,
    cursor    INTEGER NOT NULL,
    base      INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    rejected  INTEGER NOT NULL DEFAULT 0,
    dropped   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (uplink, stream)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE drops (
    uplink TEXT NOT NULL,
    stream TEXT NOT NULL,
    reason TEXT NOT NULL,
    count  INTEGER NOT NULL,
    bytes  INTEGER NOT NULL,
    PRIMARY KEY (uplink, stream, reason)
  ) STRICT, WITHOUT ROWID;

  -- Records that an upstream can never take, and messages that never became records: kept for people, bounded.
  CREATE TABLE rejects (
    id     INTEGER PRIMARY KEY,
    uplink TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    body   BLOB NOT NULL
  ) STRICT;
  CREATE TABLE refused (
    id      INTEGER PRIMARY KEY,
    source  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    reason  TEXT NOT NULL,
    channel TEXT NOT NULL,
    payload BLOB NOT NULL
  ) STRICT;

  -- Inbound QoS 2 exchanges between the first PUBLISH and PUBREL.
  CREATE TABLE handshakes (
    client_id TEXT NOT NULL,
    packet_id INTEGER NOT NULL,
    PRIMARY KEY (client_id, packet_id)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Requests that were stored, by their Idempotency-Key, so that a repeated one is recognised. at: null when the clock
  -- was not synchronised.
  CREATE TABLE idempotency_keys (
    id          INTEGER PRIMARY KEY,
    device      TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    at          INTEGER,
    first_seq   INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX idempotency_keys_by_name ON idempotency_keys (device, key);
  `,
  `
  -- What the MQTT broker keeps of messages, in the order in which it took them. A packet that is a record, byte for
  -- byte, has stream and seq; any other has topic and payload.
  CREATE TABLE packets (
    place   INTEGER PRIMARY KEY,
    qos     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    topic   TEXT,
    payload BLOB,
    stream  TEXT,
    seq     INTEGER
  ) STRICT;

  -- Which sessions wait for it, and how far its delivery got; released: PUBREC came.
  CREATE TABLE queued (
    place     INTEGER NOT NULL,
    session   INTEGER NOT NULL,
    packet_id INTEGER NOT NULL,
    qos       INTEGER NOT NULL,
    released  INTEGER NOT NULL,
    PRIMARY KEY (place, session)
  ) STRICT, WITHOUT ROWID;

  -- Retained messages on their way to state.db.
  CREATE TABLE fresh_retained (place INTEGER PRIMARY KEY) STRICT;
  `,
  `
  -- What people look at, retry and remove is named by its id: one that was given out never means something else.
  -- size: bytes of the whole payload.
  CREATE TABLE rejects_4 (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    uplink TEXT NOT NULL,
    stream TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    body   BLOB NOT NULL
  ) STRICT;
  INSERT INTO rejects_4 SELECT id, uplink, stream, seq, at, reason, detail, body FROM rejects ORDER BY id;
  DROP TABLE rejects;
  ALTER TABLE rejects_4 RENAME TO rejects;
  CREATE TABLE refused_4 (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    source  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    reason  TEXT NOT NULL,
    channel TEXT NOT NULL,
    size    INTEGER NOT NULL,
    payload BLOB NOT NULL
  ) STRICT;
  INSERT INTO refused_4 SELECT id, source, at, reason, channel, octet_length(payload), payload FROM refused ORDER BY id;
  DROP TABLE refused;
  ALTER TABLE refused_4 RENAME TO refused;
  `,
  `
  -- Records that are for one uplink alone: rejects that were retried. A row goes with its record.
  CREATE TABLE directed (
    stream TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    uplink TEXT NOT NULL,
    PRIMARY KEY (stream, seq)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Gaps stand in it too, those of before by what their JSON says.
  INSERT INTO directed
  SELECT 'gaps', seq, json_extract(value, '$.uplink')
  FROM (SELECT seq, CAST(substr(body, instr(body, CAST('{"uplink":' AS BLOB))) AS TEXT) AS value FROM gaps)
  WHERE CASE WHEN json_valid(value) THEN json_type(value, '$.uplink') = 'text' ELSE 0 END;
  `,
  `
  -- Everything up to seq was stored before: says how old records are whose own time cannot be trusted.
  CREATE TABLE known_times (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
  `,
  `
  -- Parts of a stream that are sent beside a lane: (cursor, up_to]. backfill: what the lane skipped, part of its pending.
  -- replay: what is sent again, of that device and time of acceptance; it has counts of its own and is kept when done.
  CREATE TABLE ranges (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    uplink    TEXT NOT NULL,
    stream    TEXT NOT NULL,
    kind      TEXT NOT NULL,
    after     INTEGER NOT NULL,
    cursor    INTEGER NOT NULL,
    up_to     INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    device    TEXT,
    from_time INTEGER,
    to_time   INTEGER,
    delivered INTEGER NOT NULL DEFAULT 0,
    rejected  INTEGER NOT NULL DEFAULT 0,
    removed   INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  -- replayed: records delivered by replays, ever; sent_bytes: on that UTC day, where the link is metered.
  CREATE TABLE uplinks (
    uplink     TEXT PRIMARY KEY,
    replayed   INTEGER NOT NULL DEFAULT 0,
    sent_day   INTEGER NOT NULL DEFAULT 0,
    sent_bytes INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- What was refused because its device was over its share, and is not reported in gaps yet. device: '' sums up many.
  CREATE TABLE over_share (
    stream     TEXT NOT NULL,
    device     TEXT NOT NULL,
    count      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    first_time INTEGER NOT NULL,
    last_time  INTEGER NOT NULL,
    PRIMARY KEY (stream, device)
  ) STRICT, WITHOUT ROWID;

  -- over_share: records that were refused so, ever.
  ALTER TABLE streams ADD COLUMN over_share INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- When boots began, known once the clock was synchronised in them: gives records from before that their time.
  CREATE TABLE boots (
    id         INTEGER PRIMARY KEY,
    boot_id    TEXT NOT NULL UNIQUE,
    started_at INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- done: up to there the lane has done with everything, also with what it skipped; for the day on which ranges are lost.
  ALTER TABLE lanes ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
  UPDATE lanes SET done = min(cursor, coalesce(
    (SELECT min(ranges.cursor) FROM ranges
      WHERE ranges.uplink = lanes.uplink AND ranges.stream = lanes.stream AND kind = 'backfill'),
    cursor));
  `,
  `
  -- What was not taken at the door and is not reported in gaps yet, in the place of over_share. device: '' sums up many.
  CREATE TABLE untaken (
    reason     TEXT NOT NULL,
    stream     TEXT NOT NULL,
    device     TEXT NOT NULL,
    count      INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    first_time INTEGER NOT NULL,
    last_time  INTEGER NOT NULL,
    PRIMARY KEY (reason, stream, device)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO untaken SELECT 'share', stream, device, count, bytes, first_time, last_time FROM over_share;
  DROP TABLE over_share;
  `,
  `
  -- sum: CRC-32 of the JSON array of all other columns, in their order. null in a row of before, until the first write.
  ALTER TABLE lanes ADD COLUMN sum INTEGER;
  `,
  `
  -- sum: as in state.db; null in rows of before until the next start.
  ALTER TABLE packets ADD COLUMN sum INTEGER;
  ALTER TABLE queued ADD COLUMN sum INTEGER;
  `,
];
