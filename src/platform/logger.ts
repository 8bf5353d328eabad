import { type DestinationStream, pino, stdTimeFunctions } from 'pino';
import { SluiceError } from '../core/errors.ts';
import { isJournal, isTerminal, type LineSink, lineSinkFor } from './log-output.ts';
import { prettyLine } from './log-pretty.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * One line per event. `fields` hold what varies (names in `camelCase`, units in the name, an exception under `error`),
 * `message` never does. Text from the network goes into `fields` only, never a payload or a secret.
 */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** A logger that adds `bindings` to every line. */
  child(bindings: object): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** `auto`: pretty on a terminal, else JSON. */
  readonly format: 'auto' | 'json' | 'pretty';
}

/** Where lines go, and what is known of that place. */
export interface LogOutput {
  readonly sink: LineSink;
  readonly terminal: boolean;
  /** Lines get a priority in front, as sd-daemon(3) describes. */
  readonly journal: boolean;
  readonly colour: boolean;
}

const STDOUT_FD = 1;
const SECRETS = ['secret', 'password', '*.secret', '*.password'];
const PRIORITIES: Readonly<Record<LogLevel, number>> = { error: 3, warn: 4, info: 6, debug: 7 };

function standardOutput(): LogOutput {
  const terminal = isTerminal(STDOUT_FD);
  return {
    sink: lineSinkFor(STDOUT_FD),
    terminal,
    journal: isJournal(STDOUT_FD, process.env['JOURNAL_STREAM']),
    colour: terminal && !process.env['NO_COLOR'],
  };
}

function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const code = 'code' in error ? error.code : undefined;
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  if (error instanceof SluiceError) return { message: error.message, code, hint: error.hint, cause };
  return { message: error.message, code, cause, stack: error.stack };
}

function destination(options: LoggerOptions, output: LogOutput): DestinationStream {
  const pretty = options.format === 'pretty' || (options.format === 'auto' && output.terminal);
  const format = pretty ? (line: string) => prettyLine(line, output) : (line: string) => line;
  if (!output.journal) return { write: (line) => output.sink(format(line)) };
  return { write: (line) => output.sink(`<${priorityOf(line)}>${format(line)}`) };
}

/** pino puts the level first in every line. */
function priorityOf(line: string): number {
  const level = line.slice('{"level":"'.length, line.indexOf('"', '{"level":"'.length));
  return PRIORITIES[level as LogLevel] ?? PRIORITIES.info;
}

/**
 * Writes to stdout, synchronously, one write per line; works the same in every thread.
 * `output` is for tests.
 */
export function createLogger(options: LoggerOptions, output: LogOutput = standardOutput()): Logger {
  return pino(
    {
      level: options.level,
      base: null,
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: describeError },
      redact: { paths: SECRETS, censor: '***' },
    },
    destination(options, output),
  );
}
