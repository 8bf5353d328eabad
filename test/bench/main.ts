/**
 * npm run bench -- NAME [options], see --help.
 * Each measurement is one line of JSON; at the end a table for docs/benchmarks.md. Exit code 1 when an aim is missed.
 */

import process from 'node:process';
import { parseArgs } from 'node:util';
import { benchAck } from './ack.ts';
import { benchApi } from './api.ts';
import { benchClients } from './clients.ts';
import { benchDrain, ORDERS } from './drain.ts';
import { benchE2e } from './e2e.ts';
import { benchExactlyOnce } from './exactly-once.ts';
import { describeMachine, say } from './report.ts';
import { LINE_KINDS } from './serial/lines.ts';
import { benchSerial } from './serial.ts';
import { benchSize } from './size.ts';
import { benchWear } from './wear.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    messages: { type: 'string' },
    records: { type: 'string' },
    seconds: { type: 'string' },
    order: { type: 'string', default: 'strict' },
    lines: { type: 'string', default: 'all' },
    control: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

function count(text: string | undefined, byDefault: number): number {
  const value = Number(text ?? byDefault);
  if (Number.isInteger(value) && value > 0) return value;
  process.stderr.write(`not a whole number from 1: ${text}\n`);
  process.exit(2);
}

function oneOf<T extends string>(names: readonly T[], text: string): T {
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  process.stderr.write(`not one of ${names.join(', ')}: ${text}\n`);
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
      order: oneOf(ORDERS, values.order),
    }),
  size: () =>
    benchSize({
      rounds: count(values.rounds, 5),
      messages: count(values.messages, 300_000),
      records: count(values.records, 1_000_000),
    }),
  clients: () => benchClients({ rounds: count(values.rounds, 3), messages: count(values.messages, 200_000) }),
  wear: () => benchWear({ seconds: count(values.seconds, 200) }),
  serial: () =>
    benchSerial({
      rounds: count(values.rounds, 3),
      seconds: count(values.seconds, 30),
      lines: oneOf(['all', ...LINE_KINDS], values.lines),
      control: values.control,
    }),
};

const usage = `usage: npm run bench -- ${Object.keys(benches).join('|')} [options]

  --rounds N, --messages N, --records N, --seconds N   how long it takes
  --order strict|live_first                            drain: the order of the uplink
  --lines all|${LINE_KINDS.join('|')}                          serial: which devices send
  --control                                            serial: stop the gateway for a while: frames must be lost
`;
if (values.help) {
  say(usage);
  process.exit(0);
}
const bench = benches[positionals[0] ?? ''];
if (bench === undefined) {
  process.stderr.write(usage);
  process.exit(2);
}
say(describeMachine());
process.exitCode = (await bench()) ? 0 : 1;
