import type { Upstream } from '../core/upstream.ts';
import { pause } from './bounded.ts';
import { asSluiceError, type Link } from './link.ts';
import type { StatusBoard } from './status-board.ts';

export interface IdleWatchOptions {
  readonly upstream: Upstream;
  readonly link: Link;
  readonly board: StatusBoard;
  readonly intervalMs: number;
  readonly ending: AbortSignal;
}

/**
 * While nothing is delivered, asks now and then whether the upstream is still there: without a record nobody else
 * would notice. Resolves when the run ends. Never rejects.
 */
export async function watchIdleLink(options: IdleWatchOptions): Promise<void> {
  const { board, link, intervalMs, ending } = options;
  await link.ready();
  let seenCount = board.deliveredCount;
  await pause(intervalMs, ending);
  while (!ending.aborted) {
    const isIdle = board.deliveredCount === seenCount && board.status.state === 'up';
    seenCount = board.deliveredCount;
    if (isIdle) await probe(options);
    await pause(intervalMs, ending);
  }
}

async function probe({ upstream, link, board, ending }: IdleWatchOptions): Promise<void> {
  try {
    await upstream.probe(ending);
  } catch (error) {
    if (ending.aborted) return;
    board.linkFailed(asSluiceError(error), 0);
    await link.ready();
  }
}
