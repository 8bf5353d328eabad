import type { ClientIdClaim } from './protocol.ts';

interface Waiting {
  readonly claim: ClientIdClaim;
  resolve(granted: boolean): void;
  reject(error: unknown): void;
}

/** Claims that come while others are under way go together: each request is an fsync that appends wait for. */
export class ClientIdClaims {
  readonly #request: (claims: readonly ClientIdClaim[]) => Promise<readonly boolean[]>;
  #waiting: Waiting[] = [];
  #isUnderWay = false;

  constructor(request: (claims: readonly ClientIdClaim[]) => Promise<readonly boolean[]>) {
    this.#request = request;
  }

  claim(claim: ClientIdClaim): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ claim, resolve, reject });
      if (!this.#isUnderWay) void this.#send();
    });
  }

  /** Until none waits. Never rejects. */
  async #send(): Promise<void> {
    this.#isUnderWay = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        const granted = await this.#request(batch.map(({ claim }) => claim));
        for (const [index, { resolve }] of batch.entries()) resolve(granted[index] ?? false);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#isUnderWay = false;
  }
}
