/**
 * The second control of the damage runs, imported into a process before it starts: what is lost is counted, but no uplink
 * is told.
 */

import { replaceInSource } from './replace-in-source.ts';

const REPORT = 'report({ uplink, stream }: LaneId, loss: Loss, reason: GapReason): void {';

replaceInSource({ file: '/store/log/gap-reports.ts', text: REPORT, by: `${REPORT} if (uplink !== '') return;` });
