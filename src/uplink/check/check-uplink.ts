import type { UplinkOptions } from '../options.ts';
import { checkDirectory } from './directory-check.ts';
import { type CheckContext, Report, type UplinkReport } from './report.ts';

/** Tries an uplink out without writing a record, step by step. Every step has a deadline; never rejects for what it finds. */
export async function checkUplink(uplink: UplinkOptions, context: CheckContext): Promise<UplinkReport> {
  const report = new Report();
  if (uplink.type === 'file') await checkDirectory(uplink, context, report);
  else {
    // Its client is loaded only where it is used: it costs memory.
    const { checkKafka } = await import('../kafka/check/kafka-check.ts');
    await checkKafka(uplink, context, report);
  }
  return { name: uplink.name, type: uplink.type, steps: report.steps };
}
