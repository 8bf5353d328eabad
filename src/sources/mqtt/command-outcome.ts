import type { CommandAnswer } from '../../core/command.ts';
import type { CommandView } from '../../core/commands.ts';
import type { SluiceError } from '../../core/errors.ts';

/** What became of a command, as a device would say it. */
export function answerOf(command: CommandView | undefined): CommandAnswer {
  const wasSent = command?.sentAt !== null;
  switch (command?.state) {
    case 'done':
    case 'failed':
      return ofDevice(command);
    case 'cancelled':
      return { status: 409, error: wasSent ? 'cancelled; it may have been run all the same' : 'cancelled' };
    default:
      return {
        status: 504,
        error: wasSent
          ? 'not answered in time; it may have been run all the same'
          : 'the device was not reached in time; it was not sent and never will be',
      };
  }
}

/** Of one that is not given. */
export function refusalOf({ code, message, hint }: SluiceError): CommandAnswer {
  const status = STATUS[code] ?? 503;
  return { status, error: hint === undefined ? message : `${message}: ${hint}` };
}

/** As the API answers. */
const STATUS: Readonly<Record<string, number>> = {
  command_too_large: 413,
  request_id_used: 409,
  too_many_commands: 429,
};

function ofDevice({ status, result, error }: CommandView): CommandAnswer {
  const answer = { status: status ?? 500, ...(result === null && error !== null ? {} : { result }) };
  return error === null ? answer : { ...answer, error };
}
