import { isIP } from 'node:net';
import { z } from 'zod';
import { count } from './options.ts';

const HOST_NAME =
  /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/;
const RULE = 'an IP address or a host name';

export function isHost(text: string): boolean {
  return isIP(text) !== 0 || (HOST_NAME.test(text) && !/^[\d.]+$/.test(text));
}

export function host() {
  return z
    .string({ error: `must be text: ${RULE}` })
    .refine(isHost, `must be ${RULE}`)
    .prefault('127.0.0.1')
    .meta({
      description: 'Address to listen on. 127.0.0.1: this machine only; 0.0.0.0 or ::: every network.',
      'x-type': RULE,
    });
}

export function port(byDefault: number) {
  return count(byDefault, 'TCP port; 0 takes a free one.', { min: 0, max: 65_535 });
}

/** Says which addresses of a list stand there twice. The list may hold anything: the check runs beside all others. */
export function checkDistinct(list: readonly unknown[], context: z.core.$RefinementCtx): void {
  const addresses = list.map(addressOf);
  for (const [index, address] of addresses.entries()) {
    if (address === undefined || addresses.indexOf(address) === index) continue;
    context.addIssue({ code: 'custom', path: [index], message: 'is the address of another listener' });
  }
}

function addressOf(listener: unknown): string | undefined {
  if (typeof listener !== 'object' || listener === null || !('host' in listener && 'port' in listener))
    return undefined;
  return listener.port === 0 ? undefined : `${listener.host} ${listener.port}`;
}
