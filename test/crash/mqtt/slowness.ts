/** Whether those who mean well were slower than an attack may make them, and where nobody can tell. */

/** Where ordinary acknowledgements take longer, the machine is too busy to tell who is slow. */
export const MAX_QUIET_P99_MS = 100;
const MAX_TIMES_SLOWER = 3;

/** Times of acknowledgements, at their 99th percentile. */
export interface Waiting {
  readonly attack: string;
  /** Null when those who mean well could not go on. */
  readonly p99Ms: number | null;
  /** Without an attack. */
  readonly quietP99Ms: number;
}

export interface Slowness {
  readonly judged: readonly string[];
  readonly unjudged: readonly string[];
  /** What was judged too slow, in words. */
  readonly problems: readonly string[];
}

/** `slowMs`: an acknowledgement within it is not slow. A control is judged however busy its machine is. */
export function judgeSlowness(
  all: readonly Waiting[],
  { slowMs, control }: { readonly slowMs: number; readonly control: boolean },
): Slowness {
  const isJudged = ({ p99Ms, quietP99Ms }: Waiting): boolean =>
    p99Ms !== null && (control || quietP99Ms <= MAX_QUIET_P99_MS);
  const isSlow = ({ p99Ms, quietP99Ms }: Waiting): boolean =>
    (p99Ms ?? 0) > Math.max(quietP99Ms * MAX_TIMES_SLOWER, control ? 0 : slowMs);
  const judged = all.filter(isJudged);
  return {
    judged: judged.map(({ attack }) => attack),
    unjudged: all.filter((each) => !isJudged(each)).map(({ attack }) => attack),
    problems: judged
      .filter(isSlow)
      .map(({ attack, p99Ms, quietP99Ms }) => `${attack}: p99 ${p99Ms} ms, ${quietP99Ms} ms without`),
  };
}

export function slownessLine({ judged, unjudged }: Slowness, slowMs: number): string {
  const of = `slowness was judged in ${judged.length} of ${judged.length + unjudged.length} attacks`;
  const limit = `above ${MAX_TIMES_SLOWER} times the p99 without an attack, and ${slowMs} ms`;
  const why = `not where that p99 was above ${MAX_QUIET_P99_MS} ms, or nobody could go on`;
  return `${of}, ${limit}; ${why}: ${unjudged.join(', ') || 'none'}`;
}
