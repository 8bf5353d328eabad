import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SluiceError } from '../../../../src/core/errors.ts';
import { sendInOrder, type Verdict } from '../../../../src/uplink/kafka/in-order.ts';

const DELIVERED: Verdict = { kind: 'delivered' };
const TOO_LARGE: Verdict = { kind: 'too_large', detail: 'larger than it takes' };
const POISON: Verdict = { kind: 'poison', reason: 'invalid_record', detail: 'no key', isCertain: true };
const FAILURE: Verdict = { kind: 'failure', error: new SluiceError('gone', { code: 'gone', retryable: true }) };

/** A topic that refuses requests with a poisoned message in them, or with more bytes than it takes. */
class FakeTopic {
  readonly taken: number[] = [];
  readonly requests: (readonly [from: number, to: number])[] = [];
  readonly #refuse: (from: number, to: number) => Verdict | undefined;

  constructor(refuse: (from: number, to: number) => Verdict | undefined) {
    this.#refuse = refuse;
  }

  readonly attempt = async (from: number, to: number): Promise<Verdict> => {
    this.requests.push([from, to]);
    const refusal = this.#refuse(from, to);
    if (refusal !== undefined) return refusal;
    for (let index = from; index < to; index += 1) this.taken.push(index);
    return DELIVERED;
  };
}

function poisoned(indexes: readonly number[], verdict = POISON): FakeTopic {
  return new FakeTopic((from, to) => (indexes.some((index) => index >= from && index < to) ? verdict : undefined));
}

const sizes = (count: number, bytes = 100): number[] => Array.from({ length: count }, () => bytes);
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

describe('sending in order', () => {
  it('sends everything at once when it fits', async () => {
    const topic = poisoned([]);
    const result = await sendInOrder({ sizes: sizes(1_000), maxBytes: 1 << 20, attempt: topic.attempt });
    expect(result).toMatchObject({ doneCount: 1_000, rejects: [], error: null });
    expect(topic.requests).toEqual([[0, 1_000]]);
  });

  it('keeps each request within the limit, and sends what is larger alone', async () => {
    const topic = poisoned([]);
    await sendInOrder({ sizes: [60, 60, 60, 500, 10, 10], maxBytes: 130, attempt: topic.attempt });
    expect(topic.requests).toEqual([
      [0, 2],
      [2, 3],
      [3, 4],
      [4, 6],
    ]);
  });

  it.each([0, 1, 499, 500, 998, 999])('finds the poisoned message at %d by halving, and only it', async (bad) => {
    const topic = poisoned([bad]);
    const result = await sendInOrder({ sizes: sizes(1_000), maxBytes: 1 << 20, attempt: topic.attempt });
    expect(result).toMatchObject({ doneCount: 1_000, error: null });
    expect(result.rejects).toEqual([{ index: bad, reason: 'invalid_record', detail: 'no key' }]);
    expect(topic.taken).toEqual(range(0, 1_000).filter((index) => index !== bad));
    expect(topic.requests.length).toBeLessThanOrEqual(13);
  });

  it('delivers all others in order whatever is poisoned', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat({ max: 99 }), { maxLength: 15 }), async (bad) => {
        const topic = poisoned(bad);
        const result = await sendInOrder({ sizes: sizes(100), maxBytes: 2_000, attempt: topic.attempt });
        expect(result.rejects.map(({ index }) => index)).toEqual([...bad].sort((a, b) => a - b));
        expect(topic.taken).toEqual(range(0, 100).filter((index) => !bad.includes(index)));
      }),
    );
  });

  it('makes requests smaller when the topic takes less, and remembers it', async () => {
    const topic = new FakeTopic((from, to) => ((to - from) * 100 > 300 ? TOO_LARGE : undefined));
    const result = await sendInOrder({ sizes: sizes(16), maxBytes: 1_600, attempt: topic.attempt });
    expect(result).toMatchObject({ doneCount: 16, rejects: [], error: null, maxBytes: 200 });
    expect(topic.taken).toEqual(range(0, 16));
  });

  it('rejects a single message that is too large, and no other', async () => {
    const bytes = [100, 100, 5_000, 100];
    const topic = new FakeTopic((from, to) => {
      const request = bytes.slice(from, to).reduce((sum, size) => sum + size, 0);
      return request > 1_000 ? TOO_LARGE : undefined;
    });
    const result = await sendInOrder({ sizes: bytes, maxBytes: 8_000, attempt: topic.attempt });
    expect(result.rejects).toEqual([{ index: 2, reason: 'message_too_large', detail: 'larger than it takes' }]);
    expect(topic.taken).toEqual([0, 1, 3]);
    expect(result.maxBytes).toBe(8_000);
  });

  it('stops where a request fails, with what came before', async () => {
    const topic = new FakeTopic((from) => (from >= 4 ? FAILURE : undefined));
    const result = await sendInOrder({ sizes: sizes(8), maxBytes: 200, attempt: topic.attempt });
    expect(result).toMatchObject({ doneCount: 4, rejects: [], error: { code: 'gone' } });
  });

  it('does not judge a message by one bad transmission', async () => {
    let corruptedCount = 0;
    const topic = new FakeTopic(() => {
      corruptedCount += 1;
      return corruptedCount === 1 ? { ...POISON, isCertain: false } : undefined;
    });
    const result = await sendInOrder({ sizes: sizes(1), maxBytes: 1_000, attempt: topic.attempt });
    expect(result).toMatchObject({ doneCount: 1, rejects: [] });
  });

  it('rejects what is corrupt every time', async () => {
    const topic = poisoned([0], { ...POISON, isCertain: false });
    const result = await sendInOrder({ sizes: sizes(2), maxBytes: 1_000, attempt: topic.attempt });
    expect(result.rejects.map(({ index }) => index)).toEqual([0]);
    expect(topic.taken).toEqual([1]);
  });

  it('gives up when everything is refused: that is no fault of the messages', async () => {
    const topic = poisoned(range(0, 1_000));
    const result = await sendInOrder({ sizes: sizes(1_000), maxBytes: 1 << 20, attempt: topic.attempt });
    expect(result.error).toMatchObject({ code: 'too_many_rejects', retryable: false });
    expect(result.doneCount).toBe(21);
  });
});
