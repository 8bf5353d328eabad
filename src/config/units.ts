const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60 * 1000,
  h: 60 * 60 * 1000,
  d: 24 * 60 * 60 * 1000,
};

const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

export const DURATION_PATTERN = /^(\d{1,15})(ms|s|m|h|d)$/;
export const SIZE_PATTERN = /^(\d{1,15})(B|KiB|MiB|GiB|TiB)$/;

/** `500ms`, `30s`, `5m`, `2h`, `7d` in milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  return parse(text, DURATION_PATTERN, DURATION_UNITS);
}

/** `512B`, `64KiB`, `8MiB`, `2GiB`, `1TiB` in bytes; undefined for anything else. */
export function parseSize(text: string): number | undefined {
  return parse(text, SIZE_PATTERN, SIZE_UNITS);
}

function parse(text: string, pattern: RegExp, units: Readonly<Record<string, number>>): number | undefined {
  const [, amount = '', unit = ''] = pattern.exec(text) ?? [];
  const factor = units[unit];
  if (factor === undefined) return undefined;
  const value = Number(amount) * factor;
  return Number.isSafeInteger(value) ? value : undefined;
}
