import { spawnSync } from 'node:child_process';
import { statfsSync } from 'node:fs';
import { arch, cpus, release, tmpdir, totalmem } from 'node:os';
import process from 'node:process';

export type Fields = Readonly<Record<string, string | number | boolean | null>>;

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** One measurement, as one line of JSON. */
export function measured(bench: string, fields: Fields): void {
  say(JSON.stringify({ bench, ...fields }));
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1
    ? (sorted[Math.floor(middle)] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  [0xef53]: 'ext4',
  [0x01021994]: 'tmpfs',
  [0x58465342]: 'xfs',
  [0x9123683e]: 'btrfs',
  [0x794c7630]: 'overlayfs',
};

function firstLine(command: string, ...args: readonly string[]): string {
  const run = spawnSync(command, args, { encoding: 'utf8' });
  return `${run.stdout ?? ''}${run.stderr ?? ''}`.split('\n')[0]?.trim() ?? '';
}

/** What a figure needs beside it to mean something: date, machine, versions. */
export function describeMachine(): string {
  const [first] = cpus();
  const disk = statfsSync(tmpdir()).type;
  return [
    new Date().toISOString().slice(0, 10),
    `${cpus().length} × ${first?.model.trim() ?? 'unknown processor'} (${arch()})`,
    `${Math.round(totalmem() / 1e9)} GB`,
    `Linux ${release()}`,
    `data on ${FILE_SYSTEMS[disk] ?? `file system 0x${disk.toString(16)}`}`,
    `Node.js ${process.versions.node}`,
    firstLine('mosquitto', '-h').split(' ').slice(0, 3).join(' '),
  ].join(' · ');
}

/** A Markdown table, columns padded so that it can be read as text too. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.map(line)].join('\n');
}

/** `met`, or by how much not; for the last column of a table. */
export function verdict(value: number, aim: number, better: 'higher' | 'lower'): string {
  return (better === 'higher' ? value >= aim : value <= aim) ? 'met' : 'MISSED';
}

export function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
