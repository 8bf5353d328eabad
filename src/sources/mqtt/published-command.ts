import type { Buffer } from 'node:buffer';
import { COMMAND_NAME } from '../../core/command.ts';
import { COMMAND_TIMEOUT_MS, REQUEST_ID } from '../../core/commands.ts';
import { printable } from '../../core/printable.ts';

/** Why a message is no command. */
export type CommandFault = keyof typeof FAULTS;

/** What a message asks of a device. */
export interface AskedCommand {
  readonly name: string;
  readonly params: unknown;
  readonly timeoutMs: number;
  /** Undefined when the sender gave none. */
  readonly requestId: string | undefined;
}

export interface NoCommand {
  readonly fault: CommandFault;
  /** Of the answer, as in HTTP. */
  readonly status: number;
  readonly error: string;
  /** Where the answer is looked for, when that could be read. */
  readonly requestId: string | undefined;
}

const { min, max, default: usual } = COMMAND_TIMEOUT_MS;
const MEMBERS: readonly string[] = ['params', 'timeout_ms', 'request_id'];
const FAULTS = {
  not_json: 'the payload is no JSON: publish an object, or nothing',
  not_an_object: 'the payload must be an object with params, timeout_ms and request_id, or nothing',
  unknown_member: 'is unknown: an object has params, timeout_ms and request_id',
  bad_timeout: `timeout_ms must be a whole number of milliseconds from ${min} to ${max}`,
  bad_request_id: 'request_id must be 1 to 64 characters of A-Z a-z 0-9 . _ -',
  bad_name: 'the name of a command is 1 to 128 characters of A-Z a-z 0-9 . _ -',
} as const;

/** What is published on `devices/{id}/commands/{name}` to a device that takes commands another way. */
export function parseCommand(name: string, payload: Buffer): AskedCommand | NoCommand {
  const members = membersOf(payload);
  if (typeof members === 'string') return noCommand(members);
  const { params = null, timeout_ms: timeoutMs = usual, request_id: requestId } = members;
  if (!isRequestId(requestId)) return noCommand('bad_request_id');
  const unknown = Object.keys(members).find((member) => !MEMBERS.includes(member));
  if (unknown !== undefined) {
    return { ...noCommand('unknown_member', requestId), error: `"${printable(unknown)}" ${FAULTS.unknown_member}` };
  }
  if (!isTimeout(timeoutMs)) return noCommand('bad_timeout', requestId);
  if (!COMMAND_NAME.test(name)) return { ...noCommand('bad_name', requestId), status: 422 };
  return { name, params, timeoutMs, requestId };
}

function membersOf(payload: Buffer): Readonly<Record<string, unknown>> | 'not_json' | 'not_an_object' {
  if (payload.length === 0) return {};
  try {
    const value: unknown = JSON.parse(payload.toString());
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Readonly<Record<string, unknown>>) : 'not_an_object';
  } catch {
    return 'not_json';
  }
}

function isRequestId(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === 'string' && REQUEST_ID.test(value));
}

function isTimeout(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

function noCommand(fault: CommandFault, requestId?: string): NoCommand {
  return { fault, status: 400, error: FAULTS[fault], requestId };
}
