import type { CommandAnswer } from '../../../core/command.ts';

/** The answer to a command that is not written, and never will be. */
export function refused(status: number, error: string): CommandAnswer {
  return { status, error, isUnsent: true };
}
