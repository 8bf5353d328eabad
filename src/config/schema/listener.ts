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

/** Says which listeners of a list collide. The list may hold anything: the check runs beside all others. */
export function checkDistinct(list: readonly unknown[], context: z.core.$RefinementCtx): void {
  for (const index of collisions(list)) {
    context.addIssue({ code: 'custom', path: [index], message: COLLISION });
  }
}

export const COLLISION = 'is the address of another listener';

/** Of the listeners whose port an earlier one has taken, on the same host or on all of them. */
export function collisions(list: readonly unknown[]): number[] {
  return list.flatMap((listener, index) => {
    const taken = list.slice(0, index).some((other) => isListener(other) && collides(other, listener));
    return taken ? [index] : [];
  });
}

const ANY_HOST: readonly unknown[] = ['0.0.0.0', '::'];

function collides(one: Listener, other: unknown): boolean {
  if (!isListener(other) || one.port === 0 || one.port !== other.port) return false;
  return one.host === other.host || ANY_HOST.includes(one.host) || ANY_HOST.includes(other.host);
}

interface Listener {
  readonly host: unknown;
  readonly port: unknown;
}

function isListener(value: unknown): value is Listener {
  return typeof value === 'object' && value !== null && 'host' in value && 'port' in value;
}
