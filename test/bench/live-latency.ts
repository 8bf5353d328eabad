import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { LatencyHistogram } from '../support/latency.ts';

export interface LiveLatency {
  readonly endToEndP99Ms: number;
  readonly endToEndMaxMs: number;
}

/** The topic must say when the broker wrote each record, not when it was sent. */
export const WHEN_WRITTEN = { 'message.timestamp.type': 'LogAppendTime' };

/**
 * From the acceptance of a record (`ce_time`) until the broker wrote it, of the devices of that prefix, over what was
 * accepted in [from, to). Both clocks are this machine's. A record sent in the millisecond of its acceptance has no `ce_time`.
 */
export async function liveLatency(
  bootstrap: string,
  topic: string,
  { prefix, from, to }: { readonly prefix: string; readonly from: number; readonly to: number },
): Promise<LiveLatency> {
  const args = ['-C', '-b', bootstrap, '-t', topic, '-o', 'beginning', '-e', '-q', '-f', '%T %k %h\\n'];
  const kcat = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(kcat, 'close');
  const latency = new LatencyHistogram();
  for await (const line of createInterface({ input: kcat.stdout })) {
    const [writtenAt = '', key = ''] = line.split(' ', 2);
    if (key.split('/')[1]?.startsWith(prefix) !== true) continue;
    const time = /[ ,]ce_time=([^,]+)/.exec(line)?.[1];
    const acceptedAt = time === undefined ? Number(writtenAt) : Date.parse(time);
    if (acceptedAt >= from && acceptedAt < to) latency.add(Number(writtenAt) - acceptedAt);
  }
  const [code] = (await closed) as [number];
  if (code !== 0 || latency.count === 0) throw new Error(`kcat found no record of ${prefix} in ${topic}`);
  return { endToEndP99Ms: latency.percentileMs(0.99), endToEndMaxMs: latency.percentileMs(1) };
}
