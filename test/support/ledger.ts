/**
 * What one simulated device sent and what it was told, record by record. Numbers grow in the order of sending,
 * so order upstream is right exactly when the first occurrences ascend.
 */
export class Ledger {
  readonly device: string;
  #acked = new Uint8Array(1024);
  #sentCount = 0;
  #ackedCount = 0;
  readonly #told = new Map<number, number>();
  /** UTC milliseconds, by number. */
  readonly #issuedAt: number[] = [];
  readonly #ackedAt: number[] = [];

  constructor(device: string) {
    this.device = device;
  }

  get sentCount(): number {
    return this.#sentCount;
  }

  get ackedCount(): number {
    return this.#ackedCount;
  }

  /** The number of the next record, from 1. */
  issue(): number {
    this.#sentCount += 1;
    if (this.#sentCount >= this.#acked.length) {
      const larger = new Uint8Array(this.#acked.length * 2);
      larger.set(this.#acked);
      this.#acked = larger;
    }
    this.#issuedAt[this.#sentCount] = Date.now();
    return this.#sentCount;
  }

  /** `seq`: under which it was stored, for a sender that is told. */
  acknowledge(number: number, seq?: number): void {
    if (seq !== undefined) this.#told.set(number, seq);
    if (this.#acked[number] === 1) return;
    this.#acked[number] = 1;
    this.#ackedAt[number] = Date.now();
    this.#ackedCount += 1;
  }

  isAcked(number: number): boolean {
    return this.#acked[number] === 1;
  }

  /** When it was accepted, by the sender's clock: not before the one and not after the other, in UTC milliseconds. */
  acceptedWithin(number: number): readonly [from: number, to: number] {
    return [this.#issuedAt[number] ?? Number.NaN, this.#ackedAt[number] ?? Number.POSITIVE_INFINITY];
  }

  /** The seq that its sender was told; undefined when it was told none. */
  toldSeq(number: number): number | undefined {
    return this.#told.get(number);
  }
}

/** `c3-000000123`: the device and the number in its ledger. */
export function recordId(device: string, number: number): string {
  return `${device}-${String(number).padStart(9, '0')}`;
}

/** The reverse of `recordId`; undefined when the text is none. */
export function parseRecordId(id: string): { readonly device: string; readonly number: number } | undefined {
  const dash = id.lastIndexOf('-');
  const number = Number(id.slice(dash + 1));
  return dash > 0 && Number.isInteger(number) ? { device: id.slice(0, dash), number } : undefined;
}
