import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  /** What was printed so far. */
  stdout(): string;
  /** Resolves when it has ended. */
  readonly ended: Promise<CommandResult>;
  /** Ends it without a chance to say goodbye. */
  kill(): void;
}

/**
 * Starts a program; it is killed after `timeoutMs`.
 * @throws Error with the Debian package to install, when it is missing.
 */
export function startCommand(
  program: string,
  args: readonly string[],
  { input = '', timeoutMs = 20_000, debianPackage = program, cwd = process.cwd() } = {},
): RunningCommand {
  const child = spawn(program, args, { stdio: 'pipe', timeout: timeoutMs, cwd });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const ended = once(child, 'close').then(
    ([code]: readonly (number | null)[]) => ({ code: code ?? null, stdout, stderr }),
    (error: unknown) => {
      throw new Error(`${program} cannot be run: apt-get install ${debianPackage}`, { cause: error });
    },
  );
  return { stdout: () => stdout, ended, kill: () => child.kill('SIGKILL') };
}
