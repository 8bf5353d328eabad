import type { Command, CommandAnswer } from '../../../core/command.ts';
import { MAX_TIMER_MS } from '../../../platform/timers.ts';
import { refused } from './refused.ts';

/** Of one port: those that wait for their turn, and those that wait for their answer. */
export const MAX_COMMANDS = 32;

export function tooManyWait(): CommandAnswer {
  return refused(503, 'too many commands wait for this port');
}

/** Calls `forget` when the command's time is over. */
export function atItsEnd({ requestId, timeoutMs }: Command, forget: (requestId: string) => void): NodeJS.Timeout {
  return setTimeout(() => forget(requestId), Math.min(timeoutMs, MAX_TIMER_MS)).unref();
}
