import type { Buffer } from 'node:buffer';
import { LinuxBinding, type LinuxPortBinding } from '@serialport/bindings-cpp';
import { SluiceError } from '../../core/errors.ts';
import { BUSY, openError } from './open-error.ts';
import type { LineSettings, PortOptions } from './options.ts';
import { inTurn, isLocked } from './port-lock.ts';
import type { OpenReading, PortReading } from './reading/port-reading.ts';
import { readHere } from './reading/read-here.ts';

/** A port that is open. */
export interface OpenPort extends PortReading {
  /** Resolves when the operating system has taken the bytes; rejects when the port is gone. */
  write(bytes: Buffer): Promise<void>;
}

export interface PortToOpen extends Pick<PortOptions, 'path' | 'line' | 'lock'> {
  /** When bytes come is part of what they say. */
  readonly isPrompt?: boolean;
}

/** `openReading`: by whom it is read; by the thread that opens it when left out. @throws SluiceError that says what to do */
export async function openPort(port: PortToOpen, openReading: OpenReading = readHere): Promise<OpenPort> {
  const { path, lock } = port;
  try {
    return await (lock ? inTurn(path, () => openLocked(port, openReading)) : open(port, openReading));
  } catch (error) {
    throw await openError(path, error);
  }
}

async function openLocked(port: PortToOpen, openReading: OpenReading): Promise<OpenPort> {
  if (await isLocked(port.path)) throw new Error(BUSY);
  return await open(port, openReading);
}

/**
 * The line is set first: one that waits for a carrier would hold up the thread that opens it for reading. The lock comes last: it
 * keeps out whoever opens the port later, this program too.
 */
async function open({ path, line, lock, isPrompt = true }: PortToOpen, openReading: OpenReading): Promise<OpenPort> {
  const settings = settingsOf(line);
  const first = await LinuxBinding.open({ path, lock: false, ...settings });
  let reading: PortReading | undefined;
  try {
    reading = await openReading(path, { isPrompt, waitsForRoom: line.flowControl !== 'none' });
    if (!lock) return new BoundPort(first, reading);
    const locked = await LinuxBinding.open({ path, lock, ...settings });
    await closeBinding(first);
    return new BoundPort(locked, reading);
  } catch (error) {
    await reading?.close();
    await closeBinding(first);
    throw error;
  }
}

async function closeBinding(binding: LinuxPortBinding): Promise<void> {
  if (binding.isOpen) await binding.close().catch(() => undefined);
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
  readonly #reading: PortReading;

  constructor(binding: LinuxPortBinding, reading: PortReading) {
    this.#binding = binding;
    this.#reading = reading;
  }

  read(onBytes: (bytes: Buffer) => Promise<void> | undefined): Promise<void> {
    return this.#reading.read(onBytes);
  }

  caughtUp(): Promise<void> {
    return this.#reading.caughtUp();
  }

  async write(bytes: Buffer): Promise<void> {
    try {
      await this.#binding.write(bytes);
    } catch (cause) {
      throw new SluiceError('the port is gone', { code: 'serial_gone', retryable: true, cause });
    }
  }

  /** The lock goes last. */
  async close(): Promise<void> {
    await this.#reading.close();
    await closeBinding(this.#binding);
  }
}
