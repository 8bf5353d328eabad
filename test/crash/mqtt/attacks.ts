/** What clients do that are broken, careless or hostile. Run in a thread of its own, so that the measuring is not slowed. */

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connectBytes, PacketCutter, packet, publishBytes, subscribeBytes } from '../../support/mqtt-raw-client.ts';
import type { SeededRandom } from '../../support/random.ts';
import { CRASH_PACKET, mutant } from './mutate.ts';

export const ATTACKS = [
  'mutants',
  'silent',
  'half-connect',
  'slow-connect',
  'half-open',
  'oversize',
  'id-theft',
  'subscriptions',
  'idle',
] as const;
export type AttackName = (typeof ATTACKS)[number];

export interface Target {
  readonly port: number;
  /** A listener that asks for a secret, and a device that has one. */
  readonly lockedPort: number;
  readonly thief: { readonly username: string; readonly password: string };
  /** Client ids of those who mean well. */
  readonly victims: readonly string[];
}

export interface AttackContext {
  readonly target: Target;
  readonly random: SeededRandom;
  /** Mutated packets. */
  readonly packets: number;
  /** Clients that connect and then say nothing. */
  readonly idleClients: number;
  /** Connections a second, but of those that are held open. */
  readonly rate: number;
  /** The attack is at its height: memory may be looked at. */
  readonly reached: () => void;
}

/** What the attackers saw, by name. */
export type Sights = Readonly<Record<string, number>>;

const MUTANT_CONNECTIONS_AT_ONCE = 20;
const SILENT = 2_000;
/** All are to be there before the first one is closed. */
const HELD_PER_S = 500;
const HOLD_MS = 3_000;
const SLOW = 200;
const SLOW_BYTE_MS = 100;
const FROZEN = 200;
/** Of those: they get everything, and read nothing. */
const FROZEN_SUBSCRIBERS = 10;
const GONE_MS = 20_000;
const OVERSIZE = 20;
export const OVERSIZE_BYTES = 32 * 1024 * 1024;
const THEFTS = 200;
const BOMBERS = 20;
/** Of all together: in the end each has four hundred filters. */
const BOMBS = 400;
const BOMBS_PER_S = 40;
const FILTERS_PER_BOMB = 20;
const CONNECTS_AT_ONCE = 50;

export const RUN: Readonly<Record<AttackName, (context: AttackContext) => Promise<Sights>>> = {
  mutants,
  silent: (context) => held(context, { count: SILENT, opening: Buffer.alloc(0) }),
  'half-connect': (context) =>
    held(context, { count: SILENT, opening: connectBytes({ clientId: 'half' }).subarray(0, 9) }),
  'slow-connect': slowConnect,
  'half-open': halfOpen,
  oversize,
  'id-theft': idTheft,
  subscriptions,
  idle,
};

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => socket.destroy());
  await happens(socket, 'connect');
  return socket;
}

/** Or the socket is gone: a gateway that fell refuses it. */
async function happens(socket: Socket, event: 'connect' | 'data' | 'drain'): Promise<void> {
  if (socket.closed) return;
  const over = new AbortController();
  const { signal } = over;
  await Promise.race([once(socket, event, { signal }), once(socket, 'close', { signal })]).catch(() => undefined);
  over.abort();
}

/** @returns how many are still open when the time is over. */
async function closed(sockets: readonly Socket[], timeoutMs: number): Promise<number> {
  const over = AbortSignal.timeout(timeoutMs);
  const all = sockets.map((socket) => (socket.closed ? undefined : once(socket, 'close', { signal: over })));
  await Promise.allSettled(all);
  return sockets.filter((socket) => !socket.closed).length;
}

function end(sockets: readonly Socket[]): Promise<number> {
  for (const socket of sockets) socket.destroy();
  return closed(sockets, GONE_MS);
}

interface Pace {
  readonly atOnce: number;
  readonly perS: number;
}

/** Runs `work` for 0 … count − 1, a bounded number of them at once and in a second. */
async function inTurns(count: number, { atOnce, perS }: Pace, work: (index: number) => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  let next = 0;
  const runner = async (): Promise<void> => {
    while (next < count) {
      const index = next;
      next += 1;
      await delay((index / perS) * 1000 - (performance.now() - startedAt));
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, runner));
}

async function mutants({ target, random, packets, rate, reached }: AttackContext): Promise<Sights> {
  const counts: number[] = [];
  for (let left = packets; left > 0; left -= counts.at(-1) ?? 0) counts.push(Math.min(random.between(1, 6), left));
  reached();
  await inTurns(counts.length, { atOnce: MUTANT_CONNECTIONS_AT_ONCE, perS: rate }, async (index) => {
    const letIn = random.chance(0.6);
    const ending = random.between(0, 2);
    const bytes = Array.from({ length: counts[index] ?? 0 }, () => mutant(random));
    const socket = await open(target.port);
    socket.resume();
    if (letIn) socket.write(connectBytes({ clientId: `mutant-${random.between(0, 99)}` }));
    for (const piece of bytes) socket.write(piece);
    if (index % 50 === 0) socket.write(CRASH_PACKET);
    if (ending === 0) socket.resetAndDestroy();
    else if (ending === 1) socket.end();
    await closed([socket], 100);
    socket.destroy();
  });
  return { packets, connections: counts.length };
}

/** Connections that send nothing, or too little, and stay. */
async function held(
  { target, reached }: AttackContext,
  { count, opening }: { readonly count: number; readonly opening: Buffer },
): Promise<Sights> {
  const sockets: Socket[] = [];
  await inTurns(count, { atOnce: CONNECTS_AT_ONCE, perS: HELD_PER_S }, async () => {
    const socket = await open(target.port);
    socket.write(opening);
    sockets.push(socket);
  });
  reached();
  const stillOpen = await closed(sockets, GONE_MS);
  await end(sockets);
  return { connections: count, stillOpen };
}

/** A byte of CONNECT now and then: each one alone looks like a client on a bad line. */
async function slowConnect({ target, reached }: AttackContext): Promise<Sights> {
  const bytes = connectBytes({ clientId: 'slow', will: { topic: 'slow', payload: 'x'.repeat(10_000) } });
  const sockets = await Promise.all(Array.from({ length: SLOW }, () => open(target.port)));
  reached();
  const overAt = performance.now() + GONE_MS;
  for (let at = 0; sockets.some((socket) => !socket.closed) && performance.now() < overAt; at += 1) {
    for (const socket of sockets) if (!socket.closed) socket.write(bytes.subarray(at, at + 1));
    await delay(SLOW_BYTE_MS);
  }
  const stillOpen = sockets.filter((socket) => !socket.closed).length;
  await end(sockets);
  return { connections: SLOW, stillOpen };
}

/** Let in, and gone without a word: nothing is read, nothing is said. */
async function halfOpen({ target, rate, reached }: AttackContext): Promise<Sights> {
  const sockets: Socket[] = [];
  await inTurns(FROZEN, { atOnce: CONNECTS_AT_ONCE, perS: rate }, async (index) => {
    const socket = await open(target.port);
    socket.pause();
    socket.write(connectBytes({ clientId: `frozen-${index}`, clean: index % 2 === 0, keepAliveS: 2 }));
    if (index < FROZEN_SUBSCRIBERS) socket.write(subscribeBytes(1, [['devices/#', index % 2 === 0 ? 0 : 1]]));
    sockets.push(socket);
  });
  reached();
  // A socket that is paused hears of no end: what is left to read stands before it.
  await delay(2 * HOLD_MS);
  for (const socket of sockets) socket.resume();
  const stillOpen = await closed(sockets, GONE_MS);
  await end(sockets);
  return { connections: FROZEN, stillOpen };
}

/** Headers that promise far too much, followed by as much as is taken. */
async function oversize({ target, rate, reached }: AttackContext): Promise<Sights> {
  const piece = Buffer.alloc(64 * 1024, 0x61);
  let takenBytes = 0;
  reached();
  await inTurns(OVERSIZE, { atOnce: 8, perS: rate }, async (index) => {
    const socket = await open(target.port);
    socket.resume();
    if (index % 2 === 0) socket.write(connectBytes({ clientId: `large-${index}` }));
    socket.write(Buffer.from([index % 2 === 0 ? 0x32 : 0x10, 0xff, 0xff, 0xff, 0x7f]));
    for (let sent = 0; sent < OVERSIZE_BYTES && !socket.closed; sent += piece.length) {
      if (!socket.write(piece)) await happens(socket, 'drain');
    }
    takenBytes = Math.max(takenBytes, socket.bytesWritten - socket.writableLength);
    await end([socket]);
  });
  return { connections: OVERSIZE, takenBytes };
}

/** A device with a secret of its own takes the names of others. */
async function idTheft({ target, rate, reached }: AttackContext): Promise<Sights> {
  let stolen = 0;
  reached();
  await inTurns(THEFTS, { atOnce: 4, perS: rate }, async (index) => {
    const clientId = target.victims[index % target.victims.length] ?? '';
    const code = await connackCode(target.lockedPort, connectBytes({ clientId, ...target.thief }));
    if (code === 0) stolen += 1;
    await connackCode(target.lockedPort, connectBytes({ clientId, username: clientId, password: 'guessed' }));
  });
  return { connections: 2 * THEFTS, stolen };
}

async function connackCode(port: number, bytes: Buffer): Promise<number | undefined> {
  const socket = await open(port);
  const cutter = new PacketCutter();
  const answer = Promise.withResolvers<number | undefined>();
  socket.on('data', (chunk: Buffer) => {
    for (const { type, body } of cutter.cut(chunk)) if (type === 'connack') answer.resolve(body[1]);
  });
  socket.once('close', () => answer.resolve(undefined));
  socket.write(bytes);
  const code = await answer.promise;
  await end([socket]);
  return code;
}

/** As many filters as fit, again and again, a tenth of which everybody's messages match. */
async function subscriptions({ target, random, reached }: AttackContext): Promise<Sights> {
  reached();
  const clients = await Promise.all(Array.from({ length: BOMBERS }, () => open(target.port)));
  for (const [index, socket] of clients.entries()) {
    socket.resume();
    socket.write(connectBytes({ clientId: `bomber-${index}`, clean: index > 1 }));
  }
  await inTurns(BOMBS, { atOnce: 1, perS: BOMBS_PER_S }, async (bomb) => {
    clients[bomb % BOMBERS]?.write(subscribeBytes(bomb + 1, filters(random)));
  });
  await delay(HOLD_MS);
  await end(clients);
  return { connections: BOMBERS, filters: BOMBS * FILTERS_PER_BOMB };
}

function filters(random: SeededRandom): readonly (readonly [string, 0 | 1])[] {
  return Array.from({ length: FILTERS_PER_BOMB }, (_, index) => {
    const level = (): string => (random.chance(0.5) ? '+' : `l${random.between(0, 99)}`);
    const deep = Array.from({ length: random.between(1, 12) }, level).join('/');
    return [index % 10 === 0 ? `devices/+/${index === 0 ? '#' : 'telemetry'}` : `${deep}/#`, index % 2 === 0 ? 1 : 0];
  });
}

/** Many clients that do nothing wrong and nothing at all. */
async function idle({ target, idleClients, rate, reached }: AttackContext): Promise<Sights> {
  const sockets: Socket[] = [];
  await inTurns(idleClients, { atOnce: CONNECTS_AT_ONCE, perS: rate }, async (index) => {
    const socket = await open(target.port);
    socket.write(connectBytes({ clientId: `idle-${index}`, keepAliveS: 600 }));
    await happens(socket, 'data');
    socket.resume();
    sockets.push(socket);
  });
  reached();
  await delay(HOLD_MS);
  const turnedAway = sockets.filter((socket) => socket.closed).length;
  await inTurns(sockets.length, { atOnce: CONNECTS_AT_ONCE, perS: rate }, async (index) => {
    const socket = sockets[index];
    if (socket === undefined) return;
    socket.end(index % 2 === 0 ? packet(0xe0) : publishBytes({ topic: 'idle', payload: '' }));
    await closed([socket], GONE_MS);
  });
  return { connections: idleClients, turnedAway };
}
