/**
 * The second control of the damage runs, imported into a process before it starts: what is lost is counted, but no uplink
 * is told.
 */

import { registerHooks } from 'node:module';

const REPORT = 'report({ uplink, stream }: LaneId, loss: Loss, reason: GapReason): void {';

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith('/store/log/gap-reports.ts')) return loaded;
    const source = String(loaded.source);
    if (!source.includes(REPORT)) throw new Error('gap-reports.ts reports losses in another way now');
    return { ...loaded, source: source.replace(REPORT, `${REPORT} if (uplink !== '') return;`) };
  },
});
