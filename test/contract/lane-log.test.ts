import type { Buffer } from 'node:buffer';
import Database from 'better-sqlite3';
import type { Rejection } from '../../src/core/lane-log.ts';
import { DroppingStore } from '../support/drop-by-age.ts';
import { storeDirectory } from '../support/open-store.ts';
import { type LaneCounts, laneLogContract } from './lane-log.suite.ts';

laneLogContract('the store', async () => {
  const { dataDir, remove } = storeDirectory();
  const dropping = await DroppingStore.open(dataDir);
  const { store } = dropping;
  const db = new Database(store.opened.logFile);
  return {
    laneLog: store.lanes,
    reader: store.reader,
    replays: store.client,
    append: (records) => dropping.append(records),
    noteSync: (boot) => store.client.noteSync(boot),
    drop: (_stream, upTo) => dropping.drop(upTo),
    reportGap: (uplink) => dropping.reportGap(uplink, uplink === 'plant' ? 'events' : 'state'),
    damage: async (stream, seq) => {
      const body = db.prepare<[number], Buffer>(`SELECT body FROM ${stream} WHERE seq = ?`).pluck().get(seq);
      body?.writeUInt8(body.readUInt8(body.length - 1) ^ 1, body.length - 1);
      db.prepare(`UPDATE ${stream} SET body = ? WHERE seq = ?`).run(body, seq);
    },
    counts: async ({ uplink, stream }): Promise<LaneCounts> => {
      const lane = (await store.client.stats()).lanes.find((each) => each.uplink === uplink && each.stream === stream);
      if (lane === undefined) throw new Error(`no lane ${uplink}/${stream}`);
      const { cursor, acceptedCount, deliveredCount, rejectedCount, droppedCount, pendingCount } = lane;
      return { cursor, acceptedCount, deliveredCount, rejectedCount, droppedCount, pendingCount };
    },
    rejected: async ({ uplink, stream }) =>
      db
        .prepare<string[], Rejection>(
          'SELECT seq, reason, detail FROM rejects WHERE uplink = ? AND stream = ? ORDER BY seq',
        )
        .all(uplink, stream),
    close: async () => {
      db.close();
      await store.close();
      remove();
    },
  };
});
