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

describe('the batches of an uplink', () => {
  it.each([
    ['', 1000],
    ['delivery: exactly_once,', 2000],
    ['delivery: exactly_once, batch: { maxRecords: 50 },', 50],
    ['batch: { maxRecords: 50 },', 50],
  ])('are larger when each is a transaction, unless something else is said: %j', (options, maxRecords) => {
    const { config } = configOf(`uplinks: [ { ${options} brokers: [ "a:9092" ] } ]`);
    expect(config.uplinks[0]?.batch).toEqual({ maxRecords, maxBytes: 1_048_576, maxWait: 0 });
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
