import { Buffer } from 'node:buffer';
import { readSync } from 'node:fs';
import { LinuxBinding, type LinuxPortBinding } from '@serialport/bindings-cpp';
import { codeOf, SluiceError } from '../../core/errors.ts';
import { BUSY, openError } from './open-error.ts';
import type { LineSettings, PortOptions } from './options.ts';
import { inTurn, isLocked } from './port-lock.ts';

/** As many as the kernel holds of a terminal. What is read at once is decoded at once, and may be a thousand frames. */
const READ_BYTES = 4096;

/** A port that is open. */
export interface OpenPort {
  /**
   * Calls back with what comes, and waits for what that returns, until the port is gone or closed; then resolves. The bytes
   * are only lent. Never rejects.
   */
  read(onBytes: (bytes: Buffer) => Promise<void> | undefined): Promise<void>;
  /** Resolves when what had come by now is read and called back with. Never rejects. */
  caughtUp(): Promise<void>;
  /** Resolves when the operating system has taken the bytes; rejects when the port is gone. */
  write(bytes: Buffer): Promise<void>;
  /** Never rejects. */
  close(): Promise<void>;
}

export type PortToOpen = Pick<PortOptions, 'path' | 'line' | 'lock'>;

/** @throws SluiceError that says what to do */
export async function openPort(port: PortToOpen): Promise<OpenPort> {
  const { path, lock } = port;
  try {
    return await (lock ? inTurn(path, () => openLocked(port)) : open(port));
  } catch (error) {
    throw await openError(path, error);
  }
}

async function openLocked(port: PortToOpen): Promise<OpenPort> {
  if (await isLocked(port.path)) throw new Error(BUSY);
  return await open(port);
}

async function open({ path, line, lock }: PortToOpen): Promise<OpenPort> {
  return new BoundPort(await LinuxBinding.open({ path, lock, ...settingsOf(line) }));
}

function settingsOf({ baudRate, dataBits, stopBits, parity, flowControl }: LineSettings) {
  const isSoftware = flowControl === 'software';
  return {
    baudRate,
    dataBits,
    stopBits,
    parity,
    rtscts: flowControl === 'hardware',
    xon: isSoftware,
    xoff: isSoftware,
  };
}

class BoundPort implements OpenPort {
  readonly #binding: LinuxPortBinding;

  constructor(binding: LinuxPortBinding) {
    this.#binding = binding;
  }

  async read(onBytes: (bytes: Buffer) => Promise<void> | undefined): Promise<void> {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    while (await this.#isReadable()) {
      const count = this.#readInto(buffer);
      if (count === undefined) return;
      if (count > 0) await onBytes(buffer.subarray(0, count));
    }
  }

  /** What has come is told in the poll phase of the loop, and read in it. */
  async caughtUp(): Promise<void> {
    // Called in the poll phase itself, the first one comes before the next.
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  }

  async write(bytes: Buffer): Promise<void> {
    try {
      await this.#binding.write(bytes);
    } catch (cause) {
      throw new SluiceError('the port is gone', { code: 'serial_gone', retryable: true, cause });
    }
  }

  async close(): Promise<void> {
    if (this.#binding.isOpen) await this.#binding.close().catch(() => undefined);
  }

  /** False when the port is gone or closed. */
  #isReadable(): Promise<boolean> {
    const { isOpen, poller } = this.#binding;
    if (!isOpen) return Promise.resolve(false);
    return new Promise((resolve) => poller.once('readable', (error) => resolve(!error)));
  }

  /**
   * Undefined when the port is gone. What is there is read at once: the library's own way goes over another thread, twice for
   * each piece, and on a line that was hung up for ever.
   */
  #readInto(buffer: Buffer): number | undefined {
    try {
      // A line that was hung up gives nothing, at once.
      return readSync(this.#binding.fd ?? -1, buffer) || undefined;
    } catch (error) {
      return codeOf(error) === 'EAGAIN' ? 0 : undefined;
    }
  }
}
