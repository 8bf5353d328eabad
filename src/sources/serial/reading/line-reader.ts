import { Buffer } from 'node:buffer';
import { close as closeFile, constants, open as openFile } from 'node:fs';
import { isatty, ReadStream } from 'node:tty';
import { promisify } from 'node:util';

/** Without waiting for a carrier, and without making it the terminal of this process. */
const FLAGS = constants.O_RDONLY | constants.O_NOCTTY | constants.O_NONBLOCK;

/** As many as the kernel holds of a terminal. What is read at once is decoded at once, and may be a thousand frames. */
export const READ_BYTES = 4096;

/** False: no more is wanted until `resume`. The bytes are only lent. */
export type OnBytes = (bytes: Buffer) => boolean;

/** Reads one port on the loop of the thread that opened it. Its settings are those of the port, whoever sets them. */
export class LineReader {
  /** What is left to close when the stream has closed its own. */
  readonly #descriptor: number | undefined;
  readonly #stream: ReadStream;
  readonly #closed: Promise<void>;
  #onBytes: OnBytes = () => false;
  #closing: Promise<void> | undefined;

  private constructor(descriptor: number) {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const callback = (count: number): boolean => this.#onBytes(buffer.subarray(0, count));
    this.#stream = new ReadStream(descriptor, { onread: { buffer, callback } });
    this.#descriptor = isItsOwn(this.#stream, descriptor) ? undefined : descriptor;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    this.#stream.once('close', resolve);
    // Said by its end, as that of a port that was pulled is.
    this.#stream.on('error', () => undefined);
  }

  /** @throws Error of the operating system */
  static async open(path: string): Promise<LineReader> {
    const descriptor = await promisify(openFile)(path, FLAGS);
    try {
      if (!isatty(descriptor)) throw new Error('Inappropriate ioctl for device');
      return new LineReader(descriptor);
    } catch (error) {
      await promisify(closeFile)(descriptor);
      throw error;
    }
  }

  /** Resolves when the port is gone, or closed. */
  async read(onBytes: OnBytes): Promise<void> {
    this.#onBytes = onBytes;
    this.#stream.resume();
    await this.#closed;
  }

  resume(): void {
    this.#stream.resume();
  }

  /** What has come is told in the poll phase of the loop, and read in it. */
  async caughtUp(): Promise<void> {
    // Called in the poll phase itself, the first one comes before the next.
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  }

  /** As often as wanted. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stream.destroy();
    await this.#closed;
    if (this.#descriptor !== undefined) await promisify(closeFile)(this.#descriptor);
  }
}

/**
 * libuv opens a terminal that it is given once more, where it may, and then closes that alone. It may not where another
 * program has taken the port for itself meanwhile.
 */
function isItsOwn(stream: ReadStream, descriptor: number): boolean {
  const { _handle: handle } = stream as ReadStream & { readonly _handle?: { readonly fd?: number } };
  return handle?.fd === undefined || handle.fd === descriptor;
}
