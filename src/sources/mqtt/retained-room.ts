import type { Buffer } from 'node:buffer';
import type { Identity } from './access.ts';
import { keptBytes } from './packet.ts';

/** The device whose client it is, null for an anonymous one, or the broker itself. */
export type Owner = Identity | typeof BROKER;

export const BROKER: unique symbol = Symbol('the broker');

export interface RetainedLimits {
  readonly maxTopics: number;
  readonly maxBytes: number;
  /** Of the broker's own, beside the others. */
  readonly maxOwnTopics: number;
}

/** What is to be retained, and in whose share. */
export interface Claim {
  readonly topic: string;
  readonly payload: Buffer;
  readonly owner: Owner;
}

interface Taken {
  readonly owner: Owner;
  readonly bytes: number;
}

/** One device has at most this part of the room: its greed is nobody else's loss. */
const SHARE = 1 / 8;

class Usage {
  topics = 0;
  bytes = 0;

  add(bytes: number): void {
    this.topics += 1;
    this.bytes += bytes;
  }

  remove(bytes: number): void {
    this.topics -= 1;
    this.bytes -= bytes;
  }

  hasRoom(bytes: number, { maxTopics, maxBytes }: RetainedLimits, part = 1): boolean {
    return this.topics < maxTopics * part && this.bytes + bytes <= maxBytes * part;
  }
}

/** Who has how much of the room for retained messages. */
export class RetainedRoom {
  readonly #limits: RetainedLimits;
  readonly #taken = new Map<string, Taken>();
  readonly #byDevice = new Map<string, Usage>();
  readonly #clients = new Usage();
  #ownCount = 0;

  constructor(limits: RetainedLimits) {
    this.#limits = limits;
  }

  /**
   * Room for what is now the message of its topic, in the place of the one before; an empty one gives room back. A
   * message that is no larger than the one before always has room. False when there is none; then the topic has none.
   */
  take({ topic, payload, owner }: Claim): boolean {
    const before = this.#taken.get(topic);
    this.free(topic);
    if (payload.length === 0) return true;
    const taken: Taken = { owner, bytes: keptBytes({ topic, payload }) };
    const fits = (before !== undefined && fitsInPlace(taken, before)) || this.#fits(taken);
    if (fits) this.#add(topic, taken);
    return fits;
  }

  /** As `take`, for what was retained before the start: whose share it was in is not known any more. */
  takeBack({ topic, payload, owner }: Claim): boolean {
    const bytes = keptBytes({ topic, payload });
    const fits = this.#clients.hasRoom(bytes, this.#limits);
    if (fits) this.#add(topic, { owner, bytes });
    return fits;
  }

  free(topic: string): void {
    const taken = this.#taken.get(topic);
    if (taken === undefined) return;
    const { owner, bytes } = taken;
    this.#taken.delete(topic);
    if (owner === BROKER) this.#ownCount -= 1;
    else this.#clients.remove(bytes);
    if (typeof owner === 'string') this.#freeShare(owner, bytes);
  }

  #add(topic: string, taken: Taken): void {
    const { owner, bytes } = taken;
    this.#taken.set(topic, taken);
    if (owner === BROKER) this.#ownCount += 1;
    else this.#clients.add(bytes);
    if (typeof owner !== 'string') return;
    const share = this.#byDevice.get(owner) ?? new Usage();
    share.add(bytes);
    this.#byDevice.set(owner, share);
  }

  #freeShare(device: string, bytes: number): void {
    const share = this.#byDevice.get(device);
    share?.remove(bytes);
    if (share?.topics === 0) this.#byDevice.delete(device);
  }

  /** Clients leave the broker's own topics their room: they are as many as there are devices. */
  #fits({ owner, bytes }: Taken): boolean {
    if (owner === BROKER) return this.#ownCount < this.#limits.maxOwnTopics;
    if (!this.#clients.hasRoom(bytes, this.#limits)) return false;
    const share = typeof owner === 'string' ? this.#byDevice.get(owner) : undefined;
    return typeof owner !== 'string' || (share ?? new Usage()).hasRoom(bytes, this.#limits, SHARE);
  }
}

function fitsInPlace(taken: Taken, before: Taken): boolean {
  return taken.bytes <= before.bytes && (taken.owner === BROKER) === (before.owner === BROKER);
}
