import { codeOf, messageOf, SluiceError } from '../../core/errors.ts';

interface Fault {
  readonly reason: string;
  readonly hint: string;
}

const STICK = 'put the disk or stick back, or mend its mount; forwarding goes on by itself';

const FAULTS: Readonly<Record<string, Fault>> = {
  ENOENT: { reason: 'the directory is not there', hint: `make the directory above it, or ${STICK}` },
  ENOTDIR: { reason: 'a part of the path is a file', hint: 'name a directory that can be made' },
  ENOSPC: { reason: 'the disk is full', hint: 'make room; forwarding goes on by itself' },
  EDQUOT: { reason: 'the disk quota is used up', hint: 'make room; forwarding goes on by itself' },
  EACCES: {
    reason: 'the directory may not be written',
    hint: 'give the user that runs sluice the right to write there',
  },
  EPERM: {
    reason: 'the directory may not be written',
    hint: 'give the user that runs sluice the right to write there',
  },
  EROFS: {
    reason: 'the disk is mounted read-only',
    hint: 'mount it writable (a damaged file system is often the cause), or, for a systemd service, name the directory in ReadWritePaths',
  },
  EIO: { reason: 'the disk reports errors', hint: STICK },
  ENXIO: { reason: 'the disk is gone', hint: STICK },
  ENODEV: { reason: 'the disk is gone', hint: STICK },
  EMFILE: { reason: 'too many files are open', hint: 'raise the limit of open files' },
};

/** Every fault of a disk may pass, and none is a record's: what was not written stays in the log. */
export function fileError(directory: string, cause: unknown): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const code = codeOf(cause) ?? '';
  const fault = FAULTS[code];
  const reason = fault?.reason ?? messageOf(cause);
  return new SluiceError(`cannot write to ${directory}: ${reason}`, {
    code: code === '' ? 'file_failed' : `file_${code.toLowerCase()}`,
    retryable: true,
    ...(fault === undefined ? {} : { hint: fault.hint }),
    cause,
  });
}
