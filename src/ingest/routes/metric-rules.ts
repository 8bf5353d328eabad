import type { MetricRule } from '../../core/route.ts';
import type { MetricValue } from '../../core/views.ts';
import { type Reading, TIME_KEY } from '../formats/reading.ts';
import type { Refusal } from '../refusal.ts';

/** The reading by the route's rules; the message's own bytes stay when no rule is for it. Or why it is refused. */
export function applyRules(reading: Reading, rules: ReadonlyMap<string, MetricRule>): Reading | Refusal {
  const names = Object.keys(reading.metrics);
  if (!names.some((name) => rules.has(name))) return TIME_KEY in reading.metrics ? 'bad_metric_name' : reading;
  const metrics = Object.create(null) as Record<string, MetricValue>;
  for (const name of names) {
    const value = reading.metrics[name] ?? null;
    const rule = rules.get(name);
    if (rule === false) continue;
    const ruled = typeof rule === 'object' ? reckoned(value, rule) : value;
    if (typeof ruled === 'number' && !Number.isFinite(ruled)) return 'out_of_range';
    const stored = (typeof rule === 'string' ? rule : rule?.name) ?? name;
    if (stored in metrics) return 'duplicate_metric';
    metrics[stored] = ruled;
  }
  if (TIME_KEY in metrics) return 'bad_metric_name';
  return Object.keys(metrics).length === 0 ? 'empty' : { ...reading, metrics, value: null };
}

/** Twelve digits: 215 × 0.1 is 21.5, not 21.500000000000004. */
function reckoned(value: MetricValue, { scale = 1, offset = 0 }: Exclude<MetricRule, false | string>): MetricValue {
  if (typeof value !== 'number' || (scale === 1 && offset === 0)) return value;
  return Number((value * scale + offset).toPrecision(12));
}
