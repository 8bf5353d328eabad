/** What a broker says of the transactions that it coordinates, for tests in which nobody else can reach it. */

import { setTimeout as delay } from 'node:timers/promises';
import { Base, listTransactionsV1 } from '@platformatic/kafka';
import { TRANSACTION_TIMEOUT_MS } from '../../src/uplink/kafka/kafka-client.ts';
import type { TcpRelay } from './tcp-relay.ts';
import { waitFor } from './wait-for.ts';

/** So that a transaction whose time is over ends at once, and not within ten seconds: lines of server.properties. */
export const QUICK_ABORT = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': 250 } as const;
/** What was on its way when the network froze has come to the broker. */
const SETTLED_MS = 300;
const CATCH_TIMEOUT_MS = 20_000;
/** Behind the time that a transaction may last: the broker may be slow. */
const ABORT_SLACK_MS = 15_000;
const ASK_EVERY_MS = 200;

/** Freezes the network at a moment at which transactions are open, and stay so. @returns their ids */
export async function freezeInTransaction(relay: TcpRelay, bootstrap: string): Promise<readonly string[]> {
  return await waitFor(
    async () => {
      relay.freeze();
      await delay(SETTLED_MS);
      const early = await ongoing(bootstrap);
      await delay(SETTLED_MS);
      const late = await ongoing(bootstrap);
      const caught = early.filter((id) => late.includes(id));
      if (caught.length > 0) return caught;
      relay.thaw();
      return undefined;
    },
    { what: 'a network that freezes in a transaction', timeoutMs: CATCH_TIMEOUT_MS },
  );
}

/** Resolves when the broker has given up each of these by itself. @throws Error when one ended in another way */
export async function untilAborted(bootstrap: string, ids: readonly string[]): Promise<void> {
  let states = new Map<string, string>();
  const isOver = async (): Promise<boolean> => {
    states = await transactionStates(bootstrap);
    return ids.every((id) => states.get(id)?.startsWith('Complete'));
  };
  const seen = (): string => ids.map((id) => `${id} ${states.get(id)}`).join(', ');
  const timeoutMs = TRANSACTION_TIMEOUT_MS + ABORT_SLACK_MS;
  await waitFor(isOver, { what: () => `the broker to end ${seen()}`, timeoutMs, everyMs: ASK_EVERY_MS });
  if (ids.some((id) => states.get(id) !== 'CompleteAbort')) throw new Error(`not aborted by the broker: ${seen()}`);
}

async function ongoing(bootstrap: string): Promise<string[]> {
  const states = await transactionStates(bootstrap);
  return [...states].filter(([, state]) => state === 'Ongoing').map(([id]) => id);
}

/** By transactional id, in Kafka's words. */
async function transactionStates(bootstrap: string): Promise<Map<string, string>> {
  const client = new Base({ clientId: 'test', bootstrapBrokers: [bootstrap] });
  try {
    const [connection] = (await client.connectToBrokers()).values();
    if (connection === undefined) throw new Error('no broker answers');
    const { transactionStates: all } = await listTransactionsV1.api.async(connection, [], [], -1n, null);
    return new Map(all.map(({ transactionalId, transactionState }) => [transactionalId, transactionState]));
  } finally {
    await client.close();
  }
}
