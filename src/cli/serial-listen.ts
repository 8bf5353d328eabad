import { once } from 'node:events';
import process from 'node:process';
import { serialPortConfig } from '../config/serial-port.ts';
import { printable } from '../core/printable.ts';
import type { Heard } from '../gateway/listen.ts';
import { EXIT, type Input, type Io, UsageError } from './command.ts';

export const LISTEN_OPTIONS = {
  baud: { type: 'string' },
  framing: { type: 'string' },
  format: { type: 'string' },
  options: { type: 'string' },
  count: { type: 'string' },
} as const;

const SHOWN_BYTES = 64;
const SHOWN_LENGTH = 500;

/** Shows what comes from a port until it is gone, enough came, or somebody ends it. Exit code 1 when nothing good came. */
export async function listenTo(path: string, input: Input, io: Io): Promise<number> {
  const port = serialPortConfig(path, writtenOptions(input));
  if (port.modbus !== undefined) {
    throw new UsageError('serial listen writes nothing to a port, and Modbus units speak only when they are asked');
  }
  const maxCount = maxCountOf(input);
  // Loaded late: the other commands need nothing native.
  const { listen } = await import('../gateway/listen.ts');
  const ending = new AbortController();
  const interrupted = Promise.race(
    ['SIGINT', 'SIGTERM'].map((signal) => once(process, signal, { signal: ending.signal })),
  );
  interrupted.then(
    () => ending.abort(),
    () => undefined,
  );
  const counts = { good: 0, refused: 0, bad: 0 };
  const hear = (heard: Heard): void => {
    if (total(counts) >= maxCount) return;
    counts[heard.kind] += 1;
    io.out(input.values['json'] === true ? `${JSON.stringify(lineOf(heard))}\n` : forPeople(heard));
    if (total(counts) >= maxCount) ending.abort();
  };
  await listen(port, hear, ending.signal);
  ending.abort();
  if (input.values['json'] !== true) io.out(`${counts.good} good, ${counts.refused} refused, ${counts.bad} bad.\n`);
  return counts.good > 0 ? EXIT.done : EXIT.failed;
}

function writtenOptions({ values }: Input): readonly string[] {
  const named = { baudRate: values['baud'], framing: values['framing'], format: values['format'] };
  const given = Object.entries(named).filter(([, value]) => value !== undefined);
  const further = typeof values['options'] === 'string' ? [values['options']] : [];
  return [...given.map(([option, value]) => `${option}: ${String(value)}`), ...further];
}

function maxCountOf({ values }: Input): number {
  const written = values['count'];
  if (written === undefined) return Number.POSITIVE_INFINITY;
  const count = Number(written);
  if (!Number.isInteger(count) || count < 1) throw new UsageError('--count must be a whole number from 1');
  return count;
}

function total({ good, refused, bad }: Record<Heard['kind'], number>): number {
  return good + refused + bad;
}

function lineOf(heard: Heard): object {
  const { kind, payload } = heard;
  const told = {
    at: new Date().toISOString(),
    kind,
    bytes: payload.length,
    hex: payload.toString('hex', 0, SHOWN_BYTES),
  };
  if (heard.kind === 'good') return { ...told, records: heard.records };
  return heard.kind === 'bad' ? { ...told, reason: heard.reason } : { ...told, reason: heard.reason, hint: heard.hint };
}

function forPeople(heard: Heard): string {
  switch (heard.kind) {
    case 'good':
      return heard.records
        .map(({ device, stream, value }) => `good     ${printable(`${device} ${stream} ${value}`, SHOWN_LENGTH)}\n`)
        .join('');
    case 'refused':
      return `refused  ${heard.reason}: ${shown(heard.payload)}\n         ${heard.hint}\n`;
    case 'bad':
      return `bad      ${heard.reason}: ${shown(heard.payload)}\n`;
  }
}

/** Text where it is text, bytes where it is not. */
function shown(payload: Buffer): string {
  const text = payload.toString('utf8');
  const isText = !/[\p{Cc}\ufffd]/u.test(text);
  if (isText) return printable(text, SHOWN_LENGTH);
  const more = payload.length > SHOWN_BYTES ? ` … ${payload.length} bytes` : '';
  return `0x${payload.toString('hex', 0, SHOWN_BYTES)}${more}`;
}
