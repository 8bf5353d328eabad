/** One record of a pack, its labels as in JSON (RFC 8428 §4.2, §4.3). What else it has says nothing to us. */
export interface SensorRecord {
  readonly bn: string | undefined;
  readonly bt: number | undefined;
  readonly bv: number | undefined;
  readonly bs: number | undefined;
  readonly bver: number | undefined;
  readonly n: string | undefined;
  readonly v: number | undefined;
  readonly vs: string | undefined;
  readonly vb: boolean | undefined;
  readonly vd: string | undefined;
  readonly s: number | undefined;
  readonly t: number | undefined;
  readonly bu: string | undefined;
  readonly u: string | undefined;
  /** It has a field that changes what the others mean (RFC 8428 §4.4). */
  readonly mustUnderstand: boolean;
}

/** RFC 8428 §6, with `ut` left out. */
const CBOR_LABELS: Readonly<Record<string, string>> = {
  '-1': 'bver',
  '-2': 'bn',
  '-3': 'bt',
  '-4': 'bu',
  '-5': 'bv',
  '-6': 'bs',
  '0': 'n',
  '1': 'u',
  '2': 'v',
  '3': 'vs',
  '4': 'vb',
  '5': 's',
  '6': 't',
  '8': 'vd',
};
const TYPES: Readonly<Record<string, 'string' | 'number' | 'boolean'>> = {
  bn: 'string',
  bt: 'number',
  bv: 'number',
  bs: 'number',
  bver: 'number',
  bu: 'string',
  u: 'string',
  n: 'string',
  v: 'number',
  vs: 'string',
  vb: 'boolean',
  vd: 'string',
  s: 'number',
  t: 'number',
};
/** Exactly one of them may be there. */
const VALUES = ['v', 'vs', 'vb', 'vd'] as const;

type Labelled = Readonly<Record<string, unknown>>;

/** Whether every field has the type that RFC 8428 gives it, and there is one value at most. */
export function isSensorRecord(record: unknown): record is Labelled {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return false;
  const named = withNames(record as Labelled);
  const isSound = Object.entries(TYPES).every(([label, type]) => {
    const value = named[label];
    return value === undefined || (typeof value === type && (type !== 'number' || Number.isFinite(value)));
  });
  return isSound && VALUES.filter((label) => named[label] !== undefined).length <= 1;
}

export function sensorRecord(record: Labelled): SensorRecord {
  const named = withNames(record);
  return {
    ...(named as unknown as SensorRecord),
    mustUnderstand: Object.keys(named).some((label) => label.endsWith('_')),
  };
}

function withNames(record: Labelled): Labelled {
  return Object.fromEntries(Object.entries(record).map(([label, value]) => [CBOR_LABELS[label] ?? label, value]));
}
