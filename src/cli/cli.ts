import { nearest } from '../config/nearest.ts';
import { ConfigError, problemLine } from '../config/problem.ts';
import { messageOf, SluiceError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { check } from './check.ts';
import { type Command, EXIT, type Io, parseInput, UsageError } from './command.ts';
import { device } from './device.ts';
import { doctor } from './doctor.ts';
import { run } from './run.ts';
import { serial } from './serial.ts';
import { status } from './status.ts';
import { version } from './version.ts';

const COMMANDS: readonly Command[] = [run, check, status, device, serial, doctor, version];

const HELP = `Usage: sluice COMMAND [OPTIONS]

${COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`).join('\n')}

sluice COMMAND --help says more. Exit codes: 0 done, 1 failed while running, 2 wrong usage, 78 invalid configuration.
`;

/** Runs one command and resolves with the exit code; never rejects for what a user or the system may cause. */
export async function runCli(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--help' || name === '-h' || name === 'help') {
    io.out(HELP);
    return EXIT.done;
  }
  const command = COMMANDS.find((candidate) => candidate.name === (name === '--version' ? 'version' : name));
  try {
    if (command === undefined) throw new UsageError(unknownCommand(name));
    return await runCommand(command, rest, io);
  } catch (error) {
    return report(error, command, io);
  }
}

async function runCommand(command: Command, args: readonly string[], io: Io): Promise<number> {
  const { help, ...input } = parseInput(command, args);
  if (!help) return await command.run(input, io);
  io.out(command.help);
  return EXIT.done;
}

function unknownCommand(name: string | undefined): string {
  if (name === undefined) return 'a command is missing';
  const meant = nearest(
    name,
    COMMANDS.map((command) => command.name),
  );
  return `unknown command ${printable(name)}${meant === undefined ? '' : `, probably ${meant}`}`;
}

function report(error: unknown, command: Command | undefined, io: Io): number {
  if (error instanceof UsageError) {
    io.err(`sluice: ${error.message}; see sluice ${command === undefined ? '' : `${command.name} `}--help\n`);
    return EXIT.usage;
  }
  if (error instanceof ConfigError) {
    io.err(error.problems.map((problem) => `${problemLine(error.file, problem)}\n`).join(''));
    return EXIT.config;
  }
  if (!(error instanceof SluiceError)) throw error;
  io.err(`sluice: ${printable(explanation(error), 1000)}\n`);
  return EXIT.failed;
}

/** What happened, the library's own words, and what to do, as sentences. */
function explanation({ message, cause, hint }: SluiceError): string {
  const what = cause === undefined ? message : `${message} (${messageOf(cause)})`;
  return hint === undefined ? what : `${what.replace(/\.$/, '')}. ${hint.charAt(0).toUpperCase()}${hint.slice(1)}`;
}
