import { beforeEach, describe, expect, it } from 'vitest';
import type { Room } from '../../../src/core/ports.ts';
import { Shares } from '../../../src/ingest/shares.ts';

const HOUR = 3_600_000;
const MIB = 2 ** 20;
const CAPACITY = 100 * MIB;

describe('shares of the buffer', () => {
  let elapsed: number;
  let shares: Shares;
  let room: Room;

  beforeEach(() => {
    elapsed = 0;
    room = { bytes: 0.1 * CAPACITY, capacityBytes: CAPACITY };
    shares = newShares();
  });

  const newShares = (changes = {}) =>
    new Shares({
      highWater: 0.8,
      windowMs: HOUR,
      keptMs: 100 * HOUR,
      refuses: true,
      elapsed: () => elapsed,
      ...changes,
    });
  const judge = (device: string, bytes = 100) => shares.judge(device, bytes, room).kind;

  it('count for nothing while there is room', () => {
    shares.count('quiet', 1);
    shares.count('chatty', 1e9);
    room = { bytes: 0.2 * CAPACITY, capacityBytes: CAPACITY };
    expect(judge('chatty')).toBe('within');
    room = { bytes: 0.2 * CAPACITY - 1, capacityBytes: CAPACITY };
    expect(judge('chatty')).toBe('refused');
  });

  it('count for nothing while the room is not known, and when they are switched off', () => {
    shares.count('quiet', 1);
    shares.count('chatty', 1e9);
    room = { bytes: Number.POSITIVE_INFINITY, capacityBytes: Number.POSITIVE_INFINITY };
    expect(judge('chatty')).toBe('within');
    shares = newShares({ highWater: 1 });
    shares.count('quiet', 1);
    shares.count('chatty', 1e9);
    room = { bytes: 0, capacityBytes: CAPACITY };
    expect(judge('chatty')).toBe('within');
  });

  it('leave the only device everything', () => {
    shares.count('alone', 1e9);
    room = { bytes: 0, capacityBytes: CAPACITY };
    expect(judge('alone')).toBe('within');
  });

  it('are of a device too that has not sent anything since the start', () => {
    shares.know(['quiet', 'chatty']);
    shares.count('chatty', 1_000_000);
    expect(judge('chatty')).toBe('refused');
    expect(judge('quiet')).toBe('within');
  });

  it('are all right for devices that send about the same', () => {
    for (let index = 0; index < 100; index += 1) shares.count(`d${index}`, 1_000_000 + 5_000 * index);
    for (let index = 0; index < 100; index += 1) expect(judge(`d${index}`)).toBe('within');
  });

  it('slow a device that sends more than twice what the others do, and refuse one that sends more than four times as much', () => {
    room = { bytes: 0, capacityBytes: CAPACITY };
    for (const device of ['a', 'b', 'c']) shares.count(device, 1_000);
    shares.count('d', 1_900);
    expect(judge('d', 100)).toBe('within');
    expect(judge('d', 101)).toBe('over');
    expect(judge('d', 2_100)).toBe('over');
    expect(judge('d', 2_101)).toBe('refused');
    for (const device of ['a', 'b', 'c']) expect(judge(device)).toBe('within');
  });

  it('say when the device would be within its share again', () => {
    room = { bytes: 0, capacityBytes: CAPACITY };
    shares.count('a', 1_000);
    shares.count('d', 3_900);
    const verdict = shares.judge('d', 100, room);
    expect(verdict).toMatchObject({ kind: 'over', waitMs: expect.closeTo(HOUR * Math.log(2), 0) });
  });

  it('refuse nothing when nothing may be refused', () => {
    shares = newShares({ refuses: false });
    shares.count('quiet', 100);
    shares.count('chatty', 1e9);
    expect(judge('chatty')).toBe('over');
  });

  it('let a device have an equal part of what is left, spread over a day, however little the others send', () => {
    shares.count('quiet', 1);
    shares.count('chatty', 1);
    // 10 MiB for two devices; an hour is a 24th of a day.
    const part = (10 * MIB) / 2 / 24;
    expect(judge('chatty', part - 2)).toBe('within');
    expect(judge('chatty', part)).toBe('over');
    expect(judge('chatty', 2 * part)).toBe('refused');
  });

  it('forget what was sent as time goes by', () => {
    shares.count('chatty', 20 * MIB);
    shares.count('quiet', 1_000);
    expect(judge('chatty')).toBe('refused');
    elapsed += 8 * HOUR;
    shares.count('quiet', 1_000);
    expect(judge('chatty')).toBe('within');
  });

  it('never grow over what is remembered, and forget the silent first', () => {
    shares.count('chatty', 1e9);
    for (let index = 0; index < 20_000; index += 1) {
      elapsed += 1;
      shares.count(`d${index}`, 100);
      if (index % 5_000 === 0) shares.count('chatty', 100);
    }
    expect(judge('chatty')).toBe('refused');
    expect(judge('d0')).toBe('within');
  });

  it('are of the devices of the last day', () => {
    for (let index = 0; index < 1_000; index += 1) shares.count(`gone${index}`, 100);
    elapsed += 25 * HOUR;
    for (const device of ['a', 'b']) shares.count(device, 20 * MIB);
    expect(judge('a')).toBe('within');
  });

  it('do not leave a device everything while records of one that is silent may be there', () => {
    shares.count('quiet', 100);
    elapsed += 25 * HOUR;
    shares.count('chatty', 20 * MIB);
    expect(judge('chatty')).toBe('refused');
    expect(judge('quiet')).toBe('within');
    elapsed += 76 * HOUR;
    shares.count('chatty', 20 * MIB);
    expect(judge('chatty')).toBe('within');
  });

  it('leave a device everything that comes back after a silence and still is the only one', () => {
    shares.count('alone', 100);
    elapsed += 25 * HOUR;
    expect(judge('alone', 20 * MIB)).toBe('within');
    shares.count('alone', 20 * MIB);
    elapsed += 25 * HOUR;
    shares.count('alone', 20 * MIB);
    expect(judge('alone', 20 * MIB)).toBe('within');
  });
});
