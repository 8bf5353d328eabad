import { SluiceError } from '../core/errors.ts';

export interface WaitingRoomOptions {
  /** Of everything that waits. */
  readonly maxBytes: number;
  /** Nobody waits for longer. */
  readonly timeoutMs: number;
}

/** For what a request takes beside its body. */
const REQUEST_BYTES = 1024;
const RETRY_AFTER_MS = 5_000;
const MAX_SHARE_WAIT_MS = 60_000;

/** Where requests wait for the disk: bounded in bytes, and in time for those who ask. */
export class WaitingRoom {
  readonly #options: WaitingRoomOptions;
  #bytes = 0;

  constructor(options: WaitingRoomOptions) {
    this.#options = options;
  }

  /**
   * The result of `work`. What it holds counts until it is settled, also when nobody waits for it any more.
   * @throws SluiceError `too_busy`: not begun; `store_timeout`: begun, and may still come to its end
   */
  async wait<T>(bodyBytes: number, work: () => Promise<T>): Promise<T> {
    const bytes = bodyBytes + REQUEST_BYTES;
    if (this.#bytes + bytes > this.#options.maxBytes) throw tooBusy();
    this.#bytes += bytes;
    const working = work().finally(() => {
      this.#bytes -= bytes;
    });
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(storeTimeout()), this.#options.timeoutMs);
    try {
      return await Promise.race([working, late.promise]);
    } finally {
      clearTimeout(timer);
      // Nobody may be there any more to hear that it failed.
      working.catch(() => undefined);
    }
  }
}

/** Said before anything is begun, while it is known that nothing can be stored. */
export function bufferFull(reason: string): SluiceError {
  return new SluiceError(`nothing can be stored now: ${reason}`, {
    code: 'buffer_full',
    retryable: true,
    retryAfterMs: RETRY_AFTER_MS,
    hint: 'Nothing of the request is stored; send it again later.',
  });
}

/** The buffer runs full, and the device sent much more than others. */
export function overShare(waitMs: number): SluiceError {
  return new SluiceError('the buffer runs full, and this device is over its share of it', {
    code: 'over_share',
    retryable: true,
    // An uplink that delivers again ends it before.
    retryAfterMs: Math.min(waitMs, MAX_SHARE_WAIT_MS),
    hint: 'Nothing of the request is stored; send it again later, and less of it.',
  });
}

export function overRate(waitMs: number): SluiceError {
  return new SluiceError('this device sends too often', {
    code: 'over_rate',
    retryable: true,
    retryAfterMs: waitMs,
    hint: 'Nothing of the request is stored; send it again later, several objects in one request, or raise devices.maxMessageRate.',
  });
}

function tooBusy(): SluiceError {
  return new SluiceError('too many requests wait for the disk', {
    code: 'too_busy',
    retryable: true,
    retryAfterMs: RETRY_AFTER_MS,
    hint: 'Nothing of the request is stored; send it again later, and fewer at once.',
  });
}

function storeTimeout(): SluiceError {
  return new SluiceError('the disk has not taken it in time', {
    code: 'store_timeout',
    retryable: true,
    retryAfterMs: RETRY_AFTER_MS,
    hint: 'It may still be done. Look first, or send it again with the same Idempotency-Key where the route takes one.',
  });
}
