import { messageOf, SluiceError } from '../../core/errors.ts';
import { accessHint } from './port-access.ts';

/** What the library says of a port whose lock another program holds. */
export const BUSY = 'Device or resource busy';

interface OpenFault {
  /** Of the message: the library's have no codes. */
  readonly says: RegExp;
  readonly code: string;
  readonly reason: string;
  readonly hint: (path: string) => string | Promise<string>;
}

const FAULTS: readonly OpenFault[] = [
  {
    says: /permission denied/i,
    code: 'serial_not_allowed',
    reason: 'this user may not open it',
    hint: accessHint,
  },
  {
    says: /operation not permitted/i,
    code: 'serial_not_allowed',
    reason: 'the service manager, or the container, keeps devices from this program',
    hint: () =>
      'allow it: DeviceAllow=char-ttyACM rw (or char-ttyUSB) in the service, docker run --device; systemctl show -p DevicePolicy,DeviceAllow,ProtectClock SERVICE shows what holds',
  },
  {
    says: /Cannot lock port|resource busy/,
    code: 'serial_in_use',
    reason: 'another program has it open',
    hint: (path) =>
      `end that program (sudo fuser -v ${path} names it); ModemManager lets go with: sudo systemctl mask ModemManager`,
  },
  {
    says: /no such (file|device)/i,
    code: 'serial_absent',
    reason: 'nothing is there',
    hint: () => 'plug it in; sluice serial list shows what is there',
  },
  {
    says: /Inappropriate ioctl/,
    code: 'serial_no_port',
    reason: 'it is no serial port',
    hint: () => 'sluice serial list shows those that are there',
  },
  {
    says: /baud rate/,
    code: 'serial_baud_rate',
    reason: 'it does not take this baud rate',
    hint: () => 'set one that its adapter supports, such as 9600 or 115200',
  },
];

/** Why what the path leads to cannot be opened, in words that say what to do. Never rejects. */
export async function openError(path: string, cause: unknown): Promise<SluiceError> {
  const message = messageOf(cause);
  const fault = FAULTS.find(({ says }) => says.test(message));
  return new SluiceError(`cannot open ${path}: ${fault?.reason ?? message}`, {
    code: fault?.code ?? 'serial_failed',
    retryable: true,
    ...(fault !== undefined && { hint: await fault.hint(path) }),
    cause,
  });
}
