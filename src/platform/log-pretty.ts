import { styleText } from 'node:util';
import { printable } from '../core/printable.ts';

const PLAIN = /^[\p{L}\p{N}._:/@+-]+$/u;

const onOneLine = (text: string) => printable(text, Number.POSITIVE_INFINITY);

function formatValue(value: unknown): string {
  if (typeof value === 'string' && PLAIN.test(value)) return value;
  return onOneLine(JSON.stringify(value));
}

function formatLevel(level: string, colour: boolean): string {
  const label = level.toUpperCase().padEnd(5);
  if (!colour || (level !== 'warn' && level !== 'error')) return label;
  return styleText(level === 'warn' ? 'yellow' : 'red', label, { validateStream: false });
}

/** One JSON log line as people like to read it: `15:18:03.123 INFO  message key=value`. Times are UTC. */
export function prettyLine(jsonLine: string, options: { readonly colour: boolean }): string {
  const { level, time, message, ...fields } = JSON.parse(jsonLine) as Record<string, unknown>;
  const pairs = Object.entries(fields).map(([key, value]) => ` ${onOneLine(key)}=${formatValue(value)}`);
  const clock = String(time).slice(11, 23);
  return `${clock} ${formatLevel(String(level), options.colour)} ${onOneLine(String(message))}${pairs.join('')}\n`;
}
