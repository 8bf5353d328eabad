import inspector from 'node:inspector';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Beats, type ThreadName } from '../../../src/platform/beats.ts';
import { ThreadWatch, type WatchLimits, watchLimits } from '../../../src/platform/thread-watch.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

const ALONE = watchLimits(undefined);
const WATCHED = watchLimits(60_000);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The threads of one process, each with what it wrote; `block` and `turn` do it to one of them. */
class Threads {
  readonly logger = new MemoryLogger();
  readonly ended: ThreadName[] = [];
  readonly #watches = new Map<ThreadName, ThreadWatch>();
  readonly #limits: WatchLimits;

  constructor(limits: WatchLimits) {
    this.#limits = limits;
    this.spawn('main');
    this.spawn('store-worker');
    this.spawn('uplink-worker');
    this.main.beats.arm();
  }

  get main(): ThreadWatch {
    return this.#watches.get('main') as ThreadWatch;
  }

  spawn(self: ThreadName): void {
    const beats = self === 'main' ? new Beats() : new Beats(this.main.beats.memory);
    beats.add(self);
    const end = () => void this.ended.push(self);
    const watch = new ThreadWatch({ self, limits: this.#limits, logger: this.logger, beats, end });
    watch.start();
    this.#watches.set(self, watch);
  }

  block(...threads: ThreadName[]): void {
    for (const thread of threads) this.#watches.get(thread)?.stop();
  }

  resume(...threads: ThreadName[]): void {
    for (const thread of threads) this.#watches.get(thread)?.start();
  }

  end(thread: ThreadName): void {
    this.block(thread);
    this.main.beats.remove(thread);
  }

  said(): string[] {
    return this.logger.lines.map(({ fields, message }) => `${fields['thread']} ${fields['silentS']} ${message}`);
  }
}

function pass(seconds: number): void {
  vi.advanceTimersByTime(seconds * 1_000);
}

describe.each(['main', 'store-worker', 'uplink-worker'] as const)('when %s is blocked', (blocked) => {
  it('it is named once after ten seconds, and the process ends after sixty', () => {
    const threads = new Threads(ALONE);
    pass(5);
    threads.block(blocked);
    pass(9);
    expect(threads.said()).toEqual([]);
    pass(40);
    expect(threads.said()).toEqual([`${blocked} 10 a thread does not answer`]);
    expect(threads.ended).toEqual([]);
    pass(12);
    expect(threads.said().slice(1)).toEqual([`${blocked} 60 a thread does not answer: the process ends`]);
    expect(threads.ended).toHaveLength(1);
    expect(threads.ended).not.toContain(blocked);
  });

  it('it is named again when it answers again, and the process goes on', () => {
    const threads = new Threads(ALONE);
    pass(5);
    threads.block(blocked);
    pass(50);
    threads.resume(blocked);
    pass(100);
    expect(threads.said()).toEqual([
      `${blocked} 10 a thread does not answer`,
      expect.stringMatching(`^${blocked} \\d\\d a thread answers again$`),
    ]);
    expect(threads.ended).toEqual([]);
    threads.block(blocked);
    pass(15);
    expect(threads.said()[2]).toBe(`${blocked} 10 a thread does not answer`);
  });
});

describe('the watch', () => {
  it('leaves the end to a service manager that watches, and feeds it no more', () => {
    const threads = new Threads(WATCHED);
    pass(5);
    expect(threads.main.isAnyStuck()).toBe(false);
    threads.block('uplink-worker');
    pass(600);
    expect(threads.main.isAnyStuck()).toBe(true);
    expect(threads.said()).toEqual(['uplink-worker 10 a thread does not answer']);
    expect(threads.ended).toEqual([]);
    threads.resume('uplink-worker');
    pass(2);
    expect(threads.main.isAnyStuck()).toBe(false);
  });

  it('says why a thread counts as stuck, and what happens next', () => {
    const threads = new Threads(ALONE);
    pass(5);
    threads.block('store-worker');
    pass(21);
    expect(threads.main.whyStuck('uplink-worker')).toBeNull();
    expect(threads.main.whyStuck('store-worker')).toMatch(
      /^store-worker has not answered for 2[01] s; after 60 s the proc/,
    );
  });

  it('takes nothing from a time in which no thread ran, however long it was', () => {
    const threads = new Threads(ALONE);
    pass(5);
    for (let stops = 0; stops < 100; stops += 1) {
      threads.block('main', 'store-worker', 'uplink-worker');
      pass(3_600);
      // One of them is always the first to turn again.
      threads.resume('main');
      pass(1);
      threads.resume('store-worker', 'uplink-worker');
      pass(1);
    }
    expect(threads.said()).toEqual([]);
    expect(threads.ended).toEqual([]);
  });

  it('misses no thread that ended in order, and none that was never started', () => {
    const threads = new Threads(ALONE);
    pass(5);
    threads.end('uplink-worker');
    pass(100);
    expect(threads.said()).toEqual([]);
  });

  it('counts a thread that is started later', () => {
    const threads = new Threads(ALONE);
    pass(100);
    threads.spawn('reader-worker');
    pass(5);
    threads.block('reader-worker');
    pass(62);
    expect(threads.said()).toHaveLength(2);
    expect(threads.ended).toHaveLength(1);
  });

  it('says nothing before the gateway is ready: the store may have much to repair', () => {
    const logger = new MemoryLogger();
    const end = vi.fn();
    const main = new ThreadWatch({ self: 'main', limits: ALONE, logger, end });
    main.start();
    main.beats.add('store-worker');
    pass(1_000);
    expect(main.isAnyStuck()).toBe(false);
    main.beats.arm();
    pass(30);
    expect(logger.lines).toHaveLength(1);
    expect(end).not.toHaveBeenCalled();
  });

  it('ends nothing while a debugger may hold a thread', () => {
    vi.spyOn(inspector, 'url').mockReturnValue('ws://127.0.0.1:9229/1');
    const threads = new Threads(ALONE);
    pass(5);
    threads.block('main');
    pass(600);
    expect(threads.said()).toEqual(['main 10 a thread does not answer']);
    expect(threads.ended).toEqual([]);
  });

  it('ends the process even when the one that was to do it cannot write its last line', () => {
    const threads = new Threads(ALONE);
    pass(5);
    threads.block('main');
    pass(55);
    expect(threads.main.beats.claimEnd()).toBe(true);
    pass(15);
    expect(threads.ended).toContain('store-worker');
  });

  it('notices early enough for a service manager that waits less', () => {
    expect(watchLimits(8_000)).toEqual({ stuckAfterS: 4, endAfterS: null });
    expect(watchLimits(1_000)).toEqual({ stuckAfterS: 1, endAfterS: null });
    expect(watchLimits(600_000)).toEqual({ stuckAfterS: 10, endAfterS: null });
  });
});
