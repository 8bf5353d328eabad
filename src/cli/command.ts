import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { nearest } from '../config/nearest.ts';
import { messageOf } from '../core/errors.ts';
import { printable } from '../core/printable.ts';

/** What a command may do to the world around it. */
export interface Io {
  /** Standard output. */
  out(text: string): void;
  /** Standard error. */
  err(text: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Input {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Printed by `--help`; begins with the usage. */
  readonly help: string;
  /** Beside `--help`, which every command has. */
  readonly options: ParseArgsOptionsConfig;
  readonly maxPositionals: number;
  /** Resolves with the exit code. @throws UsageError, ConfigError, SluiceError */
  run(input: Input, io: Io): Promise<number>;
}

export const EXIT = { done: 0, failed: 1, usage: 2, config: 78 } as const;

export const DEFAULT_CONFIG = '/etc/sluice/sluice.yaml';

/** The options that most commands share. */
export const CONFIG_OPTION = { config: { type: 'string', default: DEFAULT_CONFIG } } as const;
export const JSON_OPTION = { json: { type: 'boolean', default: false } } as const;

/** The command line makes no sense; the message says why. */
export class UsageError extends Error {}

/** @throws UsageError */
export function parseInput({ options, maxPositionals }: Command, args: readonly string[]): Input & { help: boolean } {
  const all = { ...options, help: { type: 'boolean', short: 'h', default: false } } as const;
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: all, allowPositionals: true });
    const extra = positionals[maxPositionals];
    if (extra !== undefined) throw new UsageError(`unexpected argument ${printable(extra)}`);
    return { values: values as Input['values'], positionals, help: values.help === true };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(explain(messageOf(error), Object.keys(all)));
  }
}

/** Node's first sentence, with the option that was probably meant. */
function explain(message: string, known: readonly string[]): string {
  const unknown = /^Unknown option '-{1,2}([^']*)'/.exec(message)?.[1];
  if (unknown === undefined) return printable(message.split(/\.\s|\n/)[0] ?? message, 200);
  const meant = nearest(unknown, known);
  return `unknown option --${printable(unknown)}${meant === undefined ? '' : `, probably --${meant}`}`;
}

/** The value of an option that has a default, or was checked to be there. */
export function textOf(input: Input, option: string): string {
  const value = input.values[option];
  return typeof value === 'string' ? value : '';
}
