import { FakeLog } from '../support/fake-log.ts';
import { newRecord } from '../support/records.ts';
import { laneLogContract } from './lane-log.suite.ts';

laneLogContract('FakeLog', async () => {
  const log = new FakeLog();
  return {
    laneLog: log,
    reader: log,
    replays: log,
    append: async (records) => log.append(records),
    noteSync: async (boot) => log.noteSync(boot),
    drop: async (stream, upTo) => log.drop(stream, upTo),
    reportGap: async (uplink) => log.append([newRecord({ stream: 'gaps', channel: uplink })])[0] ?? 0,
    damage: async (_stream, seq) => log.damage(seq),
    counts: async (lane) => log.counts(lane),
    rejected: async (lane) => log.rejected(lane),
    close: async () => undefined,
  };
});
