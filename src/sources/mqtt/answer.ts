import type { Buffer } from 'node:buffer';
import { type CommandAnswer, MAX_COMMAND_BYTES } from '../../core/command.ts';

/** Why a response is no answer; the first three as ingest calls them. */
export type AnswerFault = 'not_json' | 'not_an_object' | 'bad_status' | 'bad_error' | 'too_large';

/** What a device says on `devices/{id}/responses/{request_id}`. */
export function parseAnswer(payload: Buffer): CommandAnswer | AnswerFault {
  if (payload.length > MAX_COMMAND_BYTES) return 'too_large';
  let answer: unknown;
  try {
    answer = JSON.parse(payload.toString());
  } catch {
    return 'not_json';
  }
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return 'not_an_object';
  const { status, result, error } = answer as Readonly<Record<string, unknown>>;
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 100 || status > 599) return 'bad_status';
  if (error === undefined || error === null) return { status, result };
  return typeof error === 'string' ? { status, result, error } : 'bad_error';
}
