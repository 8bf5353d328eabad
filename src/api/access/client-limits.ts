import { isIPv6 } from 'node:net';
import { SluiceError } from '../../core/errors.ts';

export interface ClientLimitsOptions {
  /** Requests per second of one client, after a burst of one second's worth; 0 is unlimited. */
  readonly ratePerS: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

/** So many wrong tokens within the window lock a client out for as long. */
export const MAX_WRONG_TOKENS = 10;
export const LOCK_OUT_MS = 60_000;
/** Clients remembered; those not seen for longest are forgotten first. */
const MAX_CLIENTS = 4_096;
const BURST_MS = 1_000;

interface Client {
  /** When the rate alone would have brought the latest request. */
  paidUntil: number;
  wrongCount: number;
  /** When the wrong tokens of before count no more. */
  windowEnds: number;
  lockedUntil: number;
}

/** What one client address may ask of listeners that need a token. Bounded, whoever asks. */
export class ClientLimits {
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #clients = new Map<string, Client>();

  constructor({ ratePerS, now = () => performance.now() }: ClientLimitsOptions) {
    this.#intervalMs = ratePerS === 0 ? 0 : 1_000 / ratePerS;
    this.#now = now;
  }

  /** Counts a request; those with a known token apart from the rest of the address. @throws SluiceError `too_many_requests` */
  request(address: string, tokenName = ''): void {
    const client = this.#clientAt(address, tokenName);
    const now = this.#now();
    const due = Math.max(client.paidUntil, now - BURST_MS) + this.#intervalMs;
    if (due > now) {
      throw new SluiceError('this client asks too often', {
        code: 'too_many_requests',
        hint: 'Ask less often, or raise api.maxRequestRate.',
        retryAfterMs: due - now,
      });
    }
    client.paidUntil = due;
  }

  /** To be asked before a token is called wrong. @throws SluiceError `locked_out` */
  admit(address: string): void {
    const leftMs = this.#clientAt(address).lockedUntil - this.#now();
    if (leftMs <= 0) return;
    throw new SluiceError('this client sent too many wrong tokens', {
      code: 'locked_out',
      hint: 'Mend the token: the right one is let in at once.',
      retryAfterMs: leftMs,
    });
  }

  /** True when this wrong token was the one that locks the client out. */
  wrongToken(address: string): boolean {
    const client = this.#clientAt(address);
    const now = this.#now();
    if (client.windowEnds <= now) {
      client.wrongCount = 0;
      client.windowEnds = now + LOCK_OUT_MS;
    }
    client.wrongCount += 1;
    if (client.wrongCount < MAX_WRONG_TOKENS) return false;
    client.wrongCount = 0;
    client.lockedUntil = now + LOCK_OUT_MS;
    return true;
  }

  #clientAt(address: string, tokenName = ''): Client {
    const key = `${clientKey(address)} ${tokenName}`;
    const known = this.#clients.get(key);
    const fresh = { paidUntil: Number.NEGATIVE_INFINITY, wrongCount: 0, windowEnds: 0, lockedUntil: 0 };
    const client = known ?? fresh;
    // Last in the map's order is seen last.
    this.#clients.delete(key);
    this.#clients.set(key, client);
    if (this.#clients.size > MAX_CLIENTS) {
      for (const oldest of this.#clients.keys()) {
        this.#clients.delete(oldest);
        break;
      }
    }
    return client;
  }
}

/** Of an IPv6 address the first 64 bits: whoever has one address of such a network has them all. */
export function clientKey(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail = ''] = (plain.split('%')[0] ?? '').split('::');
  const front = head === '' ? [] : head.split(':');
  const back = tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - front.length - back.length) }, () => '0');
  return [...front, ...zeros, ...back].slice(0, 4).join(':');
}
