/**
 * npm run bench -- ack|api|e2e|drain|size|clients|wear|exactly-once [--rounds N] [--messages N] [--records N] [--seconds N] [--order strict|live_first]
 * Each measurement is one line of JSON; at the end a table for docs/benchmarks.md. Exit code 1 when an aim is missed.
 */

import process from 'node:process';
import { parseArgs } from 'node:util';
import { benchAck } from './ack.ts';
import { benchApi } from './api.ts';
import { benchClients } from './clients.ts';
import { benchDrain, ORDERS, type Order } from './drain.ts';
import { benchE2e } from './e2e.ts';
import { benchExactlyOnce } from './exactly-once.ts';
import { describeMachine, say } from './report.ts';
import { benchSize } from './size.ts';
import { benchWear } from './wear.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    messages: { type: 'string' },
    records: { type: 'string' },
    seconds: { type: 'string', default: '200' },
    order: { type: 'string', default: 'strict' },
  },
});

function count(text: string | undefined, byDefault: number): number {
  const value = Number(text ?? byDefault);
  if (Number.isInteger(value) && value > 0) return value;
  process.stderr.write(`not a whole number from 1: ${text}\n`);
  process.exit(2);
}

function orderNamed(text: string): Order {
  const order = ORDERS.find((name) => name === text);
  if (order !== undefined) return order;
  process.stderr.write(`not an order, strict or live_first: ${text}\n`);
  process.exit(2);
}

const benches: Readonly<Record<string, () => Promise<boolean>>> = {
  ack: () => benchAck({ rounds: count(values.rounds, 5), messages: count(values.messages, 300_000) }),
  api: () => benchApi({ rounds: count(values.rounds, 5) }),
  'exactly-once': () => benchExactlyOnce({ rounds: count(values.rounds, 3), records: count(values.records, 200_000) }),
  e2e: () => benchE2e({ rounds: count(values.rounds, 3), messages: count(values.messages, 100_000) }),
  drain: () =>
    benchDrain({
      rounds: count(values.rounds, 1),
      records: count(values.records, 1_000_000),
      order: orderNamed(values.order),
    }),
  size: () =>
    benchSize({
      rounds: count(values.rounds, 5),
      messages: count(values.messages, 300_000),
      records: count(values.records, 1_000_000),
    }),
  clients: () => benchClients({ rounds: count(values.rounds, 3), messages: count(values.messages, 200_000) }),
  wear: () => benchWear({ seconds: count(values.seconds, 200) }),
};

const bench = benches[positionals[0] ?? ''];
if (bench === undefined) {
  process.stderr.write(
    `usage: npm run bench -- ${Object.keys(benches).join('|')} [--rounds N] [--messages N] [--records N] [--seconds N] [--order strict|live_first]\n`,
  );
  process.exit(2);
}
say(describeMachine());
process.exitCode = (await bench()) ? 0 : 1;
