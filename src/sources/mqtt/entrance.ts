import type { Socket } from 'node:net';
import { addressOf } from './doorway.ts';

export interface EntranceOptions {
  /** Connections per second, after a burst of a fifth of a second's worth; 0 is unlimited. */
  readonly ratePerS: number;
  /** Connections come faster. */
  readonly onSlowed: (address: string) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

type LetIn = () => void;

/** Long enough that few devices at once are not held back, too short for others to notice the work that it makes. */
const BURST_MS = 200;

/**
 * Lets connections in, not faster than a rate: a connection costs many times what a message does, and those who are
 * there already must not wait for it. What comes too fast waits; the addresses have their turns one after the other,
 * so that a flood from one of them leaves the way free for the others. `Doorway` bounds how many wait, and how long.
 */
export class Entrance {
  readonly #options: Required<EntranceOptions>;
  readonly #intervalMs: number;
  readonly #burstMs: number;
  /** By address, in the order of their turns. */
  readonly #waiting = new Map<string, Map<Socket, LetIn>>();
  /** When the rate alone would have let the latest one in. */
  #paidUntil = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: EntranceOptions) {
    this.#options = { now: () => performance.now(), ...options };
    this.#intervalMs = options.ratePerS === 0 ? 0 : 1_000 / options.ratePerS;
    this.#burstMs = Math.max(BURST_MS, this.#intervalMs);
  }

  /** Calls `letIn` now or when it is this connection's turn; never for one that was closed meanwhile. */
  enter(socket: Socket, letIn: LetIn): void {
    if (this.#waiting.size === 0 && this.#pays()) letIn();
    else this.#wait(socket, letIn);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #pays(): boolean {
    const now = this.#options.now();
    const paidUntil = Math.max(this.#paidUntil, now - this.#burstMs) + this.#intervalMs;
    if (paidUntil > now) return false;
    this.#paidUntil = paidUntil;
    return true;
  }

  #wait(socket: Socket, letIn: LetIn): void {
    const address = addressOf(socket);
    const others = this.#waiting.get(address) ?? new Map<Socket, LetIn>();
    this.#waiting.set(address, others.set(socket, letIn));
    // Nobody else listens to it yet: an error would end the process.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#leave(socket, address));
    this.#options.onSlowed(address);
    this.#arm();
  }

  #leave(socket: Socket, address: string): void {
    const others = this.#waiting.get(address);
    others?.delete(socket);
    if (others?.size === 0) this.#waiting.delete(address);
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => this.#serve(), this.#paidUntil + this.#intervalMs - this.#options.now());
  }

  #serve(): void {
    this.#timer = undefined;
    for (const [address, sockets] of this.#waiting) {
      if (!this.#pays()) break;
      // Taken out and put in again it stands behind all others: the loop comes to it once more.
      this.#waiting.delete(address);
      this.#waiting.set(address, sockets);
      this.#letInFirst(address, sockets);
    }
    if (this.#waiting.size > 0) this.#arm();
  }

  #letInFirst(address: string, sockets: ReadonlyMap<Socket, LetIn>): void {
    const [first] = sockets;
    if (first === undefined) return;
    const [socket, letIn] = first;
    this.#leave(socket, address);
    letIn();
  }
}
