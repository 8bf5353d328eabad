import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { GatewayProcess } from '../support/gateway-process.ts';
import { RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const DEVICE = 'testator';
const TOPIC = `devices/${DEVICE}/events/will`;
/** At a time, beside the one that says goodbye. */
const CLIENTS = 3;
const DISK_TIMEOUT_MS = 5_000;

export interface WillCounts {
  /** On disk when the gateway was killed. */
  readonly leftCount: number;
  /** They were on disk, and their clients said goodbye long before the gateway was killed. */
  readonly withdrawnCount: number;
  /** On disk when the gateway was killed, and never published. */
  readonly lostCount: number;
  readonly doubledCount: number;
  /** Withdrawn, and published all the same. */
  readonly unwantedCount: number;
}

/** Clients that connect with a will, until the gateway is killed. */
export class Testators {
  readonly #gateway: GatewayProcess;
  readonly #left = new Set<string>();
  readonly #withdrawn = new Set<string>();
  #clients: RawClient[] = [];
  #number = 0;

  constructor(gateway: GatewayProcess) {
    this.#gateway = gateway;
  }

  /** Some more; each has a will of its own. The first one says goodbye. */
  async connect(): Promise<void> {
    this.close();
    await this.#sayGoodbye();
    for (let n = 0; n < CLIENTS; n += 1) this.#clients.push((await this.#connected(`testator-${n}`)).client);
  }

  /** To be called right before a kill: what is to be published is what is on disk now. */
  look(): void {
    for (const will of this.#onDisk()) this.#left.add(will);
  }

  async count(): Promise<WillCounts> {
    const times = await this.#timesPublished();
    const published = (will: string) => times.get(will) ?? 0;
    return {
      leftCount: this.#left.size,
      withdrawnCount: this.#withdrawn.size,
      lostCount: [...this.#left].filter((will) => published(will) === 0).length,
      doubledCount: [...times.values()].filter((count) => count > 1).length,
      unwantedCount: [...this.#withdrawn].filter((will) => published(will) > 0).length,
    };
  }

  close(): void {
    for (const client of this.#clients.splice(0)) client.break();
  }

  async #connected(clientId: string): Promise<{ readonly client: RawClient; readonly payload: string }> {
    this.#number += 1;
    const payload = `will-${this.#number}`;
    const will = { topic: TOPIC, payload, qos: 1 } as const;
    return { client: await RawClient.connected(this.#gateway.mqttPort, { clientId, will }), payload };
  }

  /** Not before its will is on disk: one that never came there has nothing to remove. */
  async #sayGoodbye(): Promise<void> {
    const { client, payload } = await this.#connected('polite');
    const isOnDisk = () => this.#onDisk().has(payload);
    await waitFor(isOnDisk, { what: 'a will on disk', timeoutMs: DISK_TIMEOUT_MS });
    client.disconnect();
    await client.gone();
    this.#withdrawn.add(payload);
    // One that stays is published after the kill, and counted then.
    await waitFor(() => !isOnDisk(), { what: 'no will on disk', timeoutMs: DISK_TIMEOUT_MS }).catch(() => undefined);
  }

  #onDisk(): ReadonlySet<string> {
    const db = new Database(join(this.#gateway.dataDir, 'state.db'), { readonly: true, fileMustExist: true });
    try {
      return new Set(db.prepare<[], string>('SELECT CAST(payload AS TEXT) FROM wills').pluck().all());
    } finally {
      db.close();
    }
  }

  async #timesPublished(): Promise<ReadonlyMap<string, number>> {
    const times = new Map<string, number>();
    for (let cursor: string | null = ''; cursor !== null; ) {
      const from: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const page = (await this.#gateway.get(`/v1/records?device=${DEVICE}&limit=500${from}`)) as {
        readonly records: readonly { readonly text: string }[];
        readonly next_cursor: string | null;
      };
      for (const { text } of page.records) times.set(text, (times.get(text) ?? 0) + 1);
      cursor = page.next_cursor;
    }
    return times;
  }
}
