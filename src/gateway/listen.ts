import type { Buffer } from 'node:buffer';
import type { Config } from '../config/config.ts';
import { portOfChannel, serialChannel } from '../core/serial-channel.ts';
import { judge } from '../ingest/judge.ts';
import { REFUSAL_HINTS } from '../ingest/refusal.ts';
import { RouteTable } from '../ingest/routes/route-table.ts';
import { CommandBook } from '../sources/serial/commands/command-book.ts';
import { createFraming } from '../sources/serial/framing/create-framing.ts';
import { openPort } from '../sources/serial/open-port.ts';
import { PortSession } from '../sources/serial/port-session.ts';
import { portOptions, serialRoutes } from './serial-ports.ts';
import { type TriedRecord, triedRecords } from './try-message.ts';

/** What stood on the line. */
export type Heard =
  | { readonly kind: 'good'; readonly payload: Buffer; readonly records: readonly TriedRecord[] }
  | { readonly kind: 'refused'; readonly payload: Buffer; readonly reason: string; readonly hint: string }
  | { readonly kind: 'bad'; readonly payload: Buffer; readonly reason: string };

/**
 * Reads a port until the signal is aborted or the port is gone, and tells what it would become; stores nothing and
 * writes nothing to the port. The payload of what is bad is only lent.
 * @throws SluiceError when the port cannot be opened
 */
export async function listen(
  config: Config['serial'][number],
  onHeard: (heard: Heard) => void,
  signal: AbortSignal,
): Promise<void> {
  const options = portOptions(config);
  const routes = new RouteTable(serialRoutes(config));
  const channel = serialChannel(config.name);
  const port = await openPort(options);
  const framing = createFraming(options.framing);
  const session = new PortSession({
    framing,
    port,
    taker: {
      heard: () => undefined,
      room: () => undefined,
      frame: (payload) => onHeard(judged(payload)),
      bad: (reason, payload) => onHeard({ kind: 'bad', payload, reason }),
      answered: () => undefined,
    },
    speakers: { speaks: () => undefined, gone: () => undefined },
    device: null,
    commands: new CommandBook(options.name, [], framing),
    readyAfterMs: 0,
    onReachable: () => undefined,
  });
  const close = () => void port.close();
  signal.addEventListener('abort', close, { once: true });
  if (signal.aborted) close();
  await port.read((bytes) => session.take(bytes));
  signal.removeEventListener('abort', close);
  await port.close();
  session.closed();

  function judged(payload: Buffer): Heard {
    const judgement = judge({ source: 'serial', channel, payload }, routes, Date);
    if (judgement.kind === 'good') return { kind: 'good', payload, records: triedRecords(judgement) };
    if (judgement.kind === 'local') throw new Error(`no route for ${portOfChannel(channel)}`);
    return { kind: 'refused', payload, reason: judgement.reason, hint: REFUSAL_HINTS[judgement.reason] };
  }
}
