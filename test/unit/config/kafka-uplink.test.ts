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

describe('an uplink that replaces another gateway', () => {
  it.each([
    ['', ['uplinks[0].replaces']],
    ['delivery: at_least_once,', ['uplinks[0].replaces']],
    ['delivery: exactly_once,', []],
  ])('is warned of when that has no effect: %j', (delivery, paths) => {
    const { warnings } = configOf(`uplinks: [ { brokers: [ "a:9092" ], ${delivery} replaces: 3f9a0c5be1d27746 } ]`);
    expect(warnings.map(({ path }) => path)).toEqual(paths);
  });
});
