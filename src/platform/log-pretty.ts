import { styleText } from 'node:util';

/** Control, format and other invisible characters, line and paragraph separators: what could move a terminal's cursor. */
const UNPRINTABLE = /[\p{C}\u2028\u2029]/gu;
const PLAIN = /^[\p{L}\p{N}._:/@+-]+$/u;

function escapeUnprintable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

function formatValue(value: unknown): string {
  if (typeof value === 'string' && PLAIN.test(value)) return value;
  return escapeUnprintable(JSON.stringify(value));
}

function formatLevel(level: string, colour: boolean): string {
  const label = level.toUpperCase().padEnd(5);
  if (!colour || (level !== 'warn' && level !== 'error')) return label;
  return styleText(level === 'warn' ? 'yellow' : 'red', label, { validateStream: false });
}

/** One JSON log line as people like to read it: `15:18:03.123 INFO  message key=value`. Times are UTC. */
export function prettyLine(jsonLine: string, options: { readonly colour: boolean }): string {
  const { level, time, message, ...fields } = JSON.parse(jsonLine) as Record<string, unknown>;
  const pairs = Object.entries(fields).map(([key, value]) => ` ${escapeUnprintable(key)}=${formatValue(value)}`);
  const clock = String(time).slice(11, 23);
  return `${clock} ${formatLevel(String(level), options.colour)} ${escapeUnprintable(String(message))}${pairs.join('')}\n`;
}
