import { describe, expect, it } from 'vitest';
import type { StoredRecord } from '../../../../src/core/record.ts';
import { createTargets } from '../../../../src/uplink/kafka/targets.ts';
import type { TopicRoute } from '../../../../src/uplink/options.ts';
import { storedRecord } from '../../../support/stored-record.ts';
import { IDENTITY, kafkaOptions, topicsUnder, upstreamParts } from '../../../support/uplink-options.ts';

const OPTIONS = kafkaOptions({ topics: topicsUnder('sluice') });

function topicsOf(records: readonly StoredRecord[], routes: readonly TopicRoute[]): Record<string, number[]> {
  const targets = createTargets('telemetry', OPTIONS, { ...upstreamParts(), ...IDENTITY, routes });
  const shares = targets.share(records);
  return Object.fromEntries(shares.map(({ target, records: share }) => [target.topic, share.map(({ seq }) => seq)]));
}

const records = (...channels: readonly string[]): StoredRecord[] =>
  channels.map((channel, index) => storedRecord(index + 1, { channel }));

describe('the topics of a batch', () => {
  it('is one, and the batch itself, when no route names another', () => {
    const targets = createTargets('telemetry', OPTIONS, {
      ...upstreamParts(),
      ...IDENTITY,
      routes: [{ topic: 'a/#', stream: 'telemetry', kafkaTopic: undefined }],
    });
    const batch = records('a/b', 'c');
    expect(targets.share(batch)).toEqual([{ target: targets.all[0], records: batch }]);
    expect(targets.share(batch)[0]?.records).toBe(batch);
  });

  it('are those of the first route that fits, in the order of the records', () => {
    const routes: TopicRoute[] = [
      { topic: 'a/+x/c', stream: 'telemetry', kafkaTopic: undefined },
      { topic: 'a/#rest', stream: 'telemetry', kafkaTopic: 'of-a' },
      { topic: 'b', stream: 'telemetry', kafkaTopic: 'of-a' },
    ];
    expect(topicsOf(records('a/b', 'a/b/c', 'b', 'c', 'a'), routes)).toEqual({
      'of-a': [1, 3, 5],
      'sluice.telemetry': [2, 4],
    });
  });

  it('are not those of routes for other streams, nor of the default namespace', () => {
    const routes: TopicRoute[] = [
      { topic: 'doors/#', stream: 'events', kafkaTopic: 'doors' },
      { topic: '#', stream: 'telemetry', kafkaTopic: 'all' },
    ];
    expect(topicsOf(records('doors/a', 'devices/a/telemetry', 'x'), routes)).toEqual({
      'sluice.telemetry': [1, 2],
      all: [3],
    });
  });
});
