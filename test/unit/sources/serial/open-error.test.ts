import { expect, it } from 'vitest';
import { openError } from '../../../../src/sources/serial/open-error.ts';

it.each([
  ['EPERM: operation not permitted, open', 'serial_not_allowed', 'DeviceAllow='],
  ['EBUSY: resource busy or locked, open', 'serial_in_use', 'fuser'],
  ['ENOENT: no such file or directory, open', 'serial_absent', 'plug it in'],
])('what the system says of a port is told with what to do: %s', async (message, code, hint) => {
  const error = await openError('/dev/ttyACM0', new Error(`${message} '/dev/ttyACM0'`));
  expect(error).toMatchObject({ code, retryable: true, hint: expect.stringContaining(hint) });
});
