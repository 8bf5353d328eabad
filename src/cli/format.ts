const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
const SECONDS: readonly (readonly [unit: string, seconds: number])[] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
  ['s', 1],
];

const GROUPED = new Intl.NumberFormat('en-US');

/** `12,345` */
export function countText(count: number): string {
  return GROUPED.format(count);
}

/** `512 B`, `12.4 MiB` */
export function sizeText(bytes: number): string {
  const power = Math.min(SIZES.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const amount = bytes / 1024 ** power;
  return `${power === 0 || amount >= 100 ? Math.round(amount) : Number(amount.toFixed(1))} ${SIZES[power]}`;
}

/** The two largest units: `3 d 4 h`, `5 min 10 s`, `0 s`. */
export function ageText(seconds: number): string {
  const rounded = Math.floor(seconds);
  const first = SECONDS.findIndex(([, size]) => rounded >= size);
  if (first === -1) return '0 s';
  const parts: string[] = [];
  let rest = rounded;
  for (const [unit, size] of SECONDS.slice(first, first + 2)) {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    if (amount > 0) parts.push(`${amount} ${unit}`);
  }
  return parts.join(' ');
}

/** `1 client`, `2 clients` */
export function plural(count: number, word: string): string {
  return `${countText(count)} ${word}${count === 1 ? '' : 's'}`;
}

export interface TableOptions {
  /** Columns whose cells stand at the right, counted from 0. */
  readonly right: readonly number[];
}

/** Lines of aligned cells, two spaces between. */
export function tableLines(rows: readonly (readonly string[])[], { right }: TableOptions): readonly string[] {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, column) => Math.max(known[column] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        right.includes(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
}
