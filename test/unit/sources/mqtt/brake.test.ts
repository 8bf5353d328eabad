import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Brake } from '../../../../src/sources/mqtt/brake.ts';

describe('a brake', () => {
  let brake: Brake;
  let ran: string[];

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    brake = new Brake();
    ran = [];
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  const run = (name: string, delayMs = 0) => brake.run(delayMs, () => ran.push(name));

  it('holds nothing up that need not wait', () => {
    run('a');
    expect(ran).toEqual(['a']);
  });

  it('lets nothing overtake what waits', async () => {
    run('a', 100);
    run('b');
    run('c', 50);
    await vi.advanceTimersByTimeAsync(99);
    expect(ran).toEqual([]);
    await vi.advanceTimersByTimeAsync(2);
    expect(ran).toEqual(['a', 'b', 'c']);
    run('d');
    expect(ran).toEqual(['a', 'b', 'c', 'd']);
  });

  it('runs at once what waits when it is told to', () => {
    run('a', 1_000);
    run('b');
    brake.flush();
    expect(ran).toEqual(['a', 'b']);
  });
});
