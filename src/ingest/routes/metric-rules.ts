import type { MetricRule } from '../../core/route.ts';
import type { MetricValue } from '../../core/views.ts';
import { type Reading, TIME_KEY } from '../formats/reading.ts';
import type { Refusal } from '../refusal.ts';

type Reckoning = Exclude<MetricRule, false | string>;

/** The reading by the route's rules; the message's own bytes stay when no rule changes it. Or why it is refused. */
export function applyRules(reading: Reading, rules: ReadonlyMap<string, MetricRule>): Reading | Refusal {
  const names = Object.keys(reading.metrics).filter((name) => rules.has(name));
  if (names.length === 0) return TIME_KEY in reading.metrics ? 'bad_metric_name' : reading;
  const ruled = ruledReading(reading, rules);
  if (typeof ruled === 'string') return ruled;
  return names.some((name) => changes(rules.get(name))) ? ruled : { ...ruled, value: reading.value };
}

function ruledReading(reading: Reading, rules: ReadonlyMap<string, MetricRule>): Reading | Refusal {
  const metrics = Object.create(null) as Record<string, MetricValue>;
  const units = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(reading.metrics)) {
    const rule = rules.get(name);
    if (rule === false) continue;
    const reckoning: Reckoning = typeof rule === 'string' ? { name: rule } : (rule ?? {});
    const stored = reckoning.name ?? name;
    if (stored in metrics) return 'duplicate_metric';
    const reckoned = reckon(value, reckoning);
    if (typeof reckoned === 'number' && !Number.isFinite(reckoned)) return 'out_of_range';
    metrics[stored] = reckoned;
    // What was reckoned anew has no longer the unit that the message says.
    const unit = reckoning.unit ?? (isReckoned(reckoning) ? undefined : reading.units?.[name]);
    if (unit !== undefined) units[stored] = unit;
  }
  if (TIME_KEY in metrics) return 'bad_metric_name';
  return Object.keys(metrics).length === 0 ? 'empty' : { ...reading, metrics, units, value: null };
}

/** Whether a rule makes another value of what was sent; a unit does not. */
function changes(rule: MetricRule | undefined): boolean {
  return typeof rule !== 'object' ? rule !== undefined : rule.name !== undefined || isReckoned(rule);
}

function isReckoned({ scale = 1, offset = 0 }: Reckoning): boolean {
  return scale !== 1 || offset !== 0;
}

/** Twelve digits: 215 × 0.1 is 21.5, not 21.500000000000004. */
function reckon(value: MetricValue, rule: Reckoning): MetricValue {
  if (typeof value !== 'number' || !isReckoned(rule)) return value;
  const { scale = 1, offset = 0 } = rule;
  return Number((value * scale + offset).toPrecision(12));
}
