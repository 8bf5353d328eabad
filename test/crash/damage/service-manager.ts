import type { GatewayProcess } from '../../support/gateway-process.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { DamageCounts } from './damage-counts.ts';

export interface ServiceManagerOptions {
  readonly gateway: GatewayProcess;
  readonly counts: DamageCounts;
  /** For whatever is waited for. */
  readonly timeoutMs: number;
}

/** What dies sooner was not up to stay. */
const LASTING_MS = 10_000;
/** Each finds more of what is damaged. */
const MAX_STARTS = 4;

/** Starts a gateway again that ends, and measures how long it takes until it is up to stay. */
export class ServiceManager {
  readonly #gateway: GatewayProcess;
  readonly #counts: DamageCounts;
  readonly #timeoutMs: number;
  #starts = 0;
  /** When the gateway was started, or died after it had been up to stay. */
  #downSince = 0;
  #readyAt: number | undefined;

  constructor({ gateway, counts, timeoutMs }: ServiceManagerOptions) {
    this.#gateway = gateway;
    this.#counts = counts;
    this.#timeoutMs = timeoutMs;
  }

  /** It does not run, and has been down for no time yet. */
  beginAnew(): void {
    this.#starts = 0;
  }

  async isReady(): Promise<void> {
    await this.whileUp(async () => this.#readyAt !== undefined, 'the gateway to be ready');
  }

  /** It has done all that it was started for. */
  upToStay(where: string): void {
    this.#counts.up(where, (this.#readyAt ?? Number.POSITIVE_INFINITY) - this.#downSince);
  }

  /** Until the condition holds. @throws Error when so many starts come to no end */
  async whileUp(condition: () => Promise<boolean>, what: string): Promise<void> {
    let isGivenUp = false;
    await waitFor(
      async () => {
        if (this.#gateway.pid === undefined) {
          if (this.#starts > 0) this.#counts.restarts += 1;
          isGivenUp = this.#starts === MAX_STARTS;
          if (isGivenUp) return true;
          this.#launch();
        }
        if (this.#readyAt === undefined) {
          await this.#gateway.get('/health/ready');
          this.#readyAt = performance.now();
        }
        return await condition();
      },
      { what: () => `${what}; ${this.#starts} starts`, timeoutMs: this.#timeoutMs, everyMs: 50 },
    );
    if (isGivenUp) throw new Error(`${MAX_STARTS} starts came to no end`);
  }

  /** Deaths and starts count as being down, and so does the time between them unless it was up to stay in it. */
  #launch(): void {
    const isLasting = this.#readyAt !== undefined && performance.now() - this.#readyAt > LASTING_MS;
    if (this.#starts === 0 || isLasting) this.#downSince = performance.now();
    this.#starts += 1;
    this.#readyAt = undefined;
    this.#gateway.launch();
  }
}
