/**
 * Opens the serial port argv[2], with argv[3] stop bits, whenever it is told to, and says what became of that; as user argv[4],
 * if given.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../../src/core/errors.ts';
import { type OpenPort, openPort } from '../../src/sources/serial/open-port.ts';
import { PortLife, type PortState } from '../../src/sources/serial/port-life.ts';

/** When to open it, by the clock of the machine; `live`: whenever it is there, as the gateway does; or `close`. */
export type OpenerMessage = { readonly openAt: number } | 'live' | 'close';

export interface Opening {
  /** `open`, or why it is not. */
  readonly code: string;
  readonly hint?: string | undefined;
}

const [path = '', stopBits, user] = process.argv.slice(2);
const line = { baudRate: 9600, dataBits: 8, parity: 'none', flowControl: 'none' } as const;
const options = { path, line: { ...line, stopBits: stopBits === '2' ? 2 : 1 }, lock: true } as const;
let port: OpenPort | undefined;

async function opened(at: number): Promise<Opening> {
  await delay(Math.max(0, at - Date.now() - 2));
  while (Date.now() < at);
  try {
    port = await openPort(options);
    return { code: 'open' };
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return { code: error.code, hint: error.hint };
  }
}

function live(): void {
  const onState = (state: PortState) => {
    const { code, hint } = state.kind === 'refused' ? state.error : { code: state.kind };
    process.send?.({ code, hint });
  };
  const listen = () => ({ take: () => undefined, closed: () => undefined });
  void new PortLife({ options: { ...options, silenceTimeout: 0 }, open: openPort, listen, onState }).run(
    new AbortController().signal,
  );
}

process.on('message', async (message: OpenerMessage) => {
  if (message === 'live') return live();
  if (message === 'close') await port?.close();
  process.send?.(message === 'close' ? { code: 'closed' } : await opened(message.openAt));
});
process.once('disconnect', () => process.exit());
if (user !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(Number(user));
  process.setuid?.(Number(user));
}
process.send?.({ code: 'ready' });
