import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { GatewayProcess } from '../support/gateway-process.ts';
import { RawClient } from '../support/mqtt-raw-client.ts';

const DEVICE = 'testator';
const TOPIC = `devices/${DEVICE}/events/will`;
/** At a time; the last one says goodbye. */
const CLIENTS = 4;

export interface WillCounts {
  /** On disk when the gateway was killed. */
  readonly leftCount: number;
  /** Their clients had said goodbye, and they were not on disk when the gateway was killed. */
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
  #goodbyes: string[] = [];
  #clients: RawClient[] = [];
  #number = 0;

  constructor(gateway: GatewayProcess) {
    this.#gateway = gateway;
  }

  /** Some more; each has a will of its own. */
  async connect(): Promise<void> {
    this.close();
    for (let n = 0; n < CLIENTS; n += 1) {
      this.#number += 1;
      const payload = `will-${this.#number}`;
      const will = { topic: TOPIC, payload, qos: 1 } as const;
      const client = await RawClient.connected(this.#gateway.mqttPort, { clientId: `testator-${n}`, will });
      this.#clients.push(client);
      if (n < CLIENTS - 1) continue;
      client.disconnect();
      await client.gone();
      this.#goodbyes.push(payload);
    }
  }

  /** To be called right before a kill: what is to be published is what is on disk now. */
  look(): void {
    const onDisk = this.#onDisk();
    for (const will of onDisk) this.#left.add(will);
    for (const will of this.#goodbyes) if (!onDisk.has(will)) this.#withdrawn.add(will);
    this.#goodbyes = [];
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
