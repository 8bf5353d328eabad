import { describe, expect, it } from 'vitest';
import { RequestLimit } from '../../../../src/uplink/kafka/request-limit.ts';

const TEN_MINUTES = 600_000;

describe('the limit of bytes in one request', () => {
  it('is what is configured until the topic refuses it', () => {
    const limit = new RequestLimit(1_000);
    limit.learn(1_000);
    expect(limit.bytes).toBe(1_000);
  });

  it('is what the topic took, and only ever less, for ten minutes', () => {
    let now = 0;
    const limit = new RequestLimit(1_000, () => now);
    limit.learn(500);
    now = TEN_MINUTES - 1;
    limit.learn(600);
    expect(limit.bytes).toBe(500);
  });

  it('is tried anew after that, because somebody may have raised it', () => {
    let now = 0;
    const limit = new RequestLimit(1_000, () => now);
    limit.learn(500);
    now = TEN_MINUTES;
    expect(limit.bytes).toBe(1_000);
    limit.learn(700);
    expect(limit.bytes).toBe(700);
  });
});
