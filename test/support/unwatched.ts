import type { Watch } from '../../src/gateway/spawn-worker.ts';
import { Beats } from '../../src/platform/beats.ts';
import { watchLimits } from '../../src/platform/thread-watch.ts';

/** For a worker that is tested alone: nobody looks whether it answers. */
export function unwatched(): Watch {
  return { beats: new Beats(), limits: watchLimits(undefined), log: { level: 'error', format: 'json' } };
}
