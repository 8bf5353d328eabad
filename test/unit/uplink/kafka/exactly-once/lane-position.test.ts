import { describe, expect, it } from 'vitest';
import { claimOf, offsetOf } from '../../../../../src/uplink/kafka/exactly-once/claim.ts';
import { LanePosition } from '../../../../../src/uplink/kafka/exactly-once/lane-position.ts';
import { IDENTITY } from '../../../../support/uplink-options.ts';

const NAME = 'sluice.pi.plant.telemetry';
const OTHER = { instance: 'ffffffffffffffff', host: 'shed-pi' };

function position(changes: { readonly replaces?: string; readonly firstSeq?: number } = {}): LanePosition {
  return new LanePosition({ ...IDENTITY, name: NAME, replaces: undefined, ...changes });
}

const own = (seq: number, changes = {}) => ({
  seq,
  epoch: IDENTITY.epoch,
  instance: IDENTITY.instanceId,
  host: IDENTITY.hostName,
  ...changes,
});

describe('the position of a lane at Kafka', () => {
  it('is what Kafka holds of this gateway and epoch', () => {
    const subject = position();
    subject.settle(own(41));
    expect(subject.known).toBe(41);
  });

  it('is unknown while Kafka holds nothing, or only of another epoch', () => {
    const subject = position();
    subject.settle(undefined);
    subject.settle(own(41, { epoch: 'fedcba9876543210' }));
    expect(subject.known).toBeUndefined();
  });

  it('stays what this run committed when Kafka has forgotten it', () => {
    const subject = position();
    subject.begin(50);
    subject.committed(50);
    subject.settle(undefined);
    expect(subject.known).toBe(50);
  });

  it.each([
    ['went through', 60, 60],
    ['did not', 50, 50],
  ])('tells of a doubtful transaction that it %s', (_what, held, known) => {
    const subject = position();
    subject.settle(own(50));
    subject.begin(60);
    subject.settle(own(held));
    expect(subject.known).toBe(known);
  });

  it('belongs to another gateway when that brought it there, and says whose it is', () => {
    const check = () => position().check(own(41, OTHER));
    expect(check).toThrow(/instance ffffffffffffffff on host shed-pi/);
    expect(check).toThrow(expect.objectContaining({ code: 'name_taken', retryable: false }));
  });

  it('of a gateway that is replaced says nothing, and of a third one it does', () => {
    const subject = position({ replaces: OTHER.instance });
    expect(subject.check(own(41, OTHER))).toBeUndefined();
    expect(() => subject.check(own(41, { instance: '0000000000000000' }))).toThrow(/another gateway/);
  });

  it('was brought there by a copy when this run would have had to send it, and did not', () => {
    const copied = expect.objectContaining({ code: 'name_copied', retryable: false });
    const subject = position({ firstSeq: 1_000 });
    expect(subject.check(own(999))).toBe(999);
    expect(() => subject.check(own(1_000))).toThrow(copied);
    subject.begin(1_000);
    expect(subject.check(own(1_000))).toBe(1_000);
    subject.committed(1_000);
    expect(() => subject.check(own(999))).toThrow(copied);
    expect(() => subject.check(own(1_001))).toThrow(copied);
  });

  it('never lets a name from the network into a message as it is', () => {
    expect(() => position().check(own(1, { host: 'a\nb', instance: '\u001b[31m' }))).toThrow(/^[ -~]*$/);
  });
});

describe('what stands in the metadata of an offset', () => {
  it('is read as it was written', () => {
    expect(claimOf(offsetOf(own(7)))).toEqual(own(7));
  });

  it.each(['', 'by hand', '{}', 'null', '[1]', '{"epoch":1,"instance":"a","host":"b"}'])(
    "is nobody's as %j",
    (metadata) => {
      expect(claimOf({ offset: 7, metadata })).toBeUndefined();
    },
  );
});
