import { describe, expect, it } from 'vitest';
import { kafkaUplink } from '../../../src/config/kafka-uplink.ts';
import { configOf } from '../../support/config-text.ts';

describe('the uplink of --kafka', () => {
  it('is the one that a file would make, with topics made on demand', () => {
    const { config } = configOf('uplinks: [ { brokers: [ "127.0.0.1:9092" ], createTopics: true } ]');
    expect(kafkaUplink('127.0.0.1:9092')).toEqual(config.uplinks[0]);
  });

  it.each(['', 'localhost', 'a:b', 'a:99999', 'http://a:1'])('does not exist for %j', (broker) => {
    expect(kafkaUplink(broker)).toBeUndefined();
  });
});
