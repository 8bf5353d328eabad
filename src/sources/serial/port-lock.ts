import { readFile, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '../../core/errors.ts';

/** An opening takes some milliseconds. Who holds a turn for longer opens nothing: anybody on the machine may take the name. */
const MAX_TURN_MS = 250;
const TURN_LOOK_MS = 5;
/** Those who waited in vain do not go on at the same moment. Milliseconds. */
const MOST_APART_MS = 100;

/**
 * Runs the work while no other gateway, and no other part of this one, does so for what the path leads to. The lock of a port
 * is taken after the line was set, so to look whether it is free and to open it must be one step. The name in the kernel
 * is free again when its program ends; one that is never freed keeps nobody out, but costs each opening a third of a second.
 */
export async function inTurn<T>(path: string, work: () => Promise<T>): Promise<T> {
  const turn = await turnOf(await turnName(path));
  try {
    return await work();
  } finally {
    turn?.close();
  }
}

/** Without a file (unix(7), abstract): it goes with the program that has it. */
export async function turnName(path: string): Promise<string> {
  return `\0sluice-serial-${await fileAt(path)}`;
}

/**
 * Whether a program holds the lock of what the path leads to, as far as this process may see. To find out by opening would
 * set the line anew under the one that holds it: the settings are those of the port, not of who opened it.
 */
export async function isLocked(path: string): Promise<boolean> {
  const file = await fileAt(path);
  // Where the system shows no locks, the port's own lock still keeps this program out.
  const locks = await readFile('/proc/locks', 'latin1').catch(() => '');
  return locks.split('\n').some((line) => {
    const words = line.split(/\s+/);
    return words.includes('FLOCK') && words.includes(file);
  });
}

/** Undefined when it does not become free in time, or the system has no such names. */
async function turnOf(name: string): Promise<Server | undefined> {
  const givenUpAt = performance.now() + MAX_TURN_MS;
  while (performance.now() < givenUpAt) {
    const turn = await listening(name);
    if (turn !== 'taken') return turn;
    await delay(TURN_LOOK_MS);
  }
  await delay(Math.random() * MOST_APART_MS);
  return undefined;
}

function listening(name: string): Promise<Server | 'taken' | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.on('error', (error) => resolve(codeOf(error) === 'EADDRINUSE' ? 'taken' : undefined));
    server.listen({ path: name }, () => resolve(server));
  });
}

/** As /proc/locks names it. */
async function fileAt(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  return `${hex(major(dev))}:${hex(minor(dev))}:${ino}`;
}

/** As `makedev` of the C library joins them. */
function major(device: bigint): bigint {
  return ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
}

function minor(device: bigint): bigint {
  return (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
}

function hex(number: bigint): string {
  return number.toString(16).padStart(2, '0');
}
