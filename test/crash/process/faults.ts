import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { GatewayProcess } from '../../support/gateway-process.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { Fleet } from '../fleet.ts';

export interface ProcessFault {
  readonly name: string;
  /** Whether the process must end by itself, be ended by the watchdog, or go on. */
  readonly outcome: 'ends' | 'is ended' | 'goes on';
  /** What the log must say of it. */
  readonly says: RegExp;
  /** What `/health/ready` must say before the process is gone. */
  readonly shows?: RegExp;
  /** No service manager watches: the process must see to its end itself. */
  readonly isAlone?: true;
  /** The thread runs only while a serial port is there. */
  readonly needsPort?: true;
  /** It is V8 that ends the process. */
  readonly aborts?: true;
  /** `fleet`: the devices that were connected before. */
  provoke(gateway: GatewayProcess, fleet: Fleet): Promise<void> | void;
}

/** More than a gateway with a fleet needs, and less than the connections that come. */
const DESCRIPTORS = 90;
const CROWD = 120;
/** More than was on its way when they ran out. */
const GOES_ON_COUNT = 200;
const SHORT_WITHIN_MS = 30_000;

const TOO_MANY = /too many files are open/;
const STORE_STUCK = /"store","status":"failed","reason":"store-worker has not answered for/;
const UPLINK_STUCK = /"uplink:[^"]+","status":"degraded","reason":"uplink-worker has not answered for/;
const SERIAL_STUCK = /"serial","status":"degraded","reason":"serial-worker has not answered for/;
const READER_STUCK = /"reader","status":"degraded","reason":"reader-worker has not answered for/;

const breaking = (what: string) => (gateway: GatewayProcess) => writeFileSync(breakDownFile(gateway), what);

/** It runs only once it was asked for something. */
const breakingReader = (how: string) => async (gateway: GatewayProcess) => {
  await gateway.get('/v1/records');
  breaking(`reader-worker ${how}`)(gateway);
};

/** The thread that was blocked, and none of the others. */
function stuck(thread: string, message: string): RegExp {
  return new RegExp(`"thread":"${thread}","silentS":\\d+,[^\\n]*${message}`);
}

export const FAULTS: readonly ProcessFault[] = [
  {
    name: 'store worker throws',
    outcome: 'ends',
    says: /store-worker ended: broken/,
    provoke: breaking('store-worker throws'),
  },
  {
    name: 'store worker exits',
    outcome: 'ends',
    says: /store-worker ended: exit code 3/,
    provoke: breaking('store-worker exits'),
  },
  {
    name: 'uplink worker throws',
    outcome: 'ends',
    says: /uplink-worker ended: broken/,
    provoke: breaking('uplink-worker throws'),
  },
  {
    name: 'store worker out of memory',
    outcome: 'ends',
    says: /store-worker ended: .*memory/,
    provoke: breaking('store-worker hoards'),
  },
  {
    name: 'uplink worker out of memory',
    outcome: 'ends',
    says: /uplink-worker ended: .*memory/,
    provoke: breaking('uplink-worker hoards'),
  },
  {
    name: 'reader worker throws',
    outcome: 'ends',
    says: /reader-worker ended: broken/,
    provoke: breakingReader('throws'),
  },
  {
    name: 'reader worker out of memory',
    outcome: 'ends',
    says: /reader-worker ended: .*memory/,
    provoke: breakingReader('hoards'),
  },
  {
    name: 'main thread out of memory',
    outcome: 'ends',
    aborts: true,
    says: /heap out of memory/,
    provoke: breaking('main hoards'),
  },
  {
    name: 'main thread throws',
    outcome: 'ends',
    says: /"level":"error".*broken on purpose/,
    provoke: breaking('main throws'),
  },
  {
    name: 'main thread blocked',
    outcome: 'is ended',
    says: stuck('main', 'does not answer'),
    provoke: breaking('main blocks'),
  },
  {
    name: 'store worker blocked',
    outcome: 'is ended',
    says: stuck('store-worker', 'does not answer"[^]*no progress'),
    shows: STORE_STUCK,
    provoke: breaking('store-worker blocks'),
  },
  {
    name: 'uplink worker blocked',
    outcome: 'is ended',
    says: stuck('uplink-worker', 'does not answer"[^]*no progress'),
    shows: UPLINK_STUCK,
    provoke: breaking('uplink-worker blocks'),
  },
  {
    name: 'reader worker blocked',
    outcome: 'is ended',
    says: stuck('reader-worker', 'does not answer"[^]*no progress'),
    shows: READER_STUCK,
    provoke: breakingReader('blocks'),
  },
  {
    name: 'serial worker throws',
    outcome: 'ends',
    needsPort: true,
    says: /serial-worker ended: broken/,
    provoke: breaking('serial-worker throws'),
  },
  {
    name: 'serial worker blocked',
    outcome: 'is ended',
    needsPort: true,
    says: stuck('serial-worker', 'does not answer"[^]*no progress'),
    shows: SERIAL_STUCK,
    provoke: breaking('serial-worker blocks'),
  },
  {
    name: 'main thread hangs, and nobody watches',
    outcome: 'ends',
    isAlone: true,
    says: stuck('main', 'the process ends'),
    provoke: breaking('main hangs'),
  },
  {
    name: 'store worker hangs, and nobody watches',
    outcome: 'ends',
    isAlone: true,
    says: stuck('store-worker', 'the process ends'),
    shows: STORE_STUCK,
    provoke: breaking('store-worker hangs'),
  },
  {
    name: 'uplink worker hangs, and nobody watches',
    outcome: 'ends',
    isAlone: true,
    says: stuck('uplink-worker', 'the process ends'),
    shows: UPLINK_STUCK,
    provoke: breaking('uplink-worker hangs'),
  },
  {
    name: 'reader worker hangs, and nobody watches',
    outcome: 'ends',
    isAlone: true,
    says: stuck('reader-worker', 'the process ends'),
    shows: READER_STUCK,
    provoke: breakingReader('hangs'),
  },
  { name: 'out of descriptors', outcome: 'goes on', says: TOO_MANY, provoke: exhaustDescriptors },
  {
    name: 'second daemon on the same data',
    outcome: 'goes on',
    says: /is in use by the gateway with pid/,
    provoke: startSecond,
  },
];

/** How the process must end: the exit code, or the signal of who had to end it. */
export function endOf({ outcome, isAlone, aborts }: ProcessFault): 1 | 'SIGABRT' {
  return outcome === 'is ended' || isAlone === true || aborts === true ? 'SIGABRT' : 1;
}

export function breakDownFile(gateway: GatewayProcess): string {
  return join(gateway.directory, 'break-down');
}

/** Nobody gets in meanwhile, so what is acknowledged then is of devices that were connected before. */
async function exhaustDescriptors(gateway: GatewayProcess, fleet: Fleet): Promise<void> {
  execFileSync('prlimit', ['--pid', String(gateway.pid), `--nofile=${DESCRIPTORS}:${DESCRIPTORS}`]);
  const crowd = Array.from({ length: CROWD }, () => visit(gateway.mqttPort));
  try {
    const said = () => TOO_MANY.test(readFileSync(gateway.logFile, 'utf8'));
    await waitFor(said, { what: 'the gateway to say that files are short', timeoutMs: SHORT_WITHIN_MS });
    const before = fleet.ackedCount;
    const goesOn = () => isShort(gateway) && fleet.ackedCount >= before + GOES_ON_COUNT;
    const what = () =>
      `${fleet.ackedCount - before} acknowledged without descriptors, ${isShort(gateway)} short, to be ${GOES_ON_COUNT}`;
    await waitFor(goesOn, { what, timeoutMs: SHORT_WITHIN_MS });
  } finally {
    for (const socket of crowd) socket.destroy();
  }
}

/** But for the one that Node.js keeps, to close connections with. */
function isShort({ descriptorCount }: GatewayProcess): boolean {
  return descriptorCount >= DESCRIPTORS - 1;
}

function visit(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => socket.destroy());
  return socket.resume();
}

/** It must end, name the first one, and leave it alone. */
async function startSecond(gateway: GatewayProcess): Promise<void> {
  const second = await GatewayProcess.create({ config: { gateway: { id: 'second', dataDir: gateway.dataDir } } });
  try {
    second.launch();
    const { code } = await second.exited();
    const said = second.logTail();
    if (code !== 1) throw new Error(`the second daemon ended with ${code}:\n${said}`);
    if (!said.includes(`pid ${gateway.pid}`)) throw new Error(`the second daemon does not name the first:\n${said}`);
    writeFileSync(gateway.logFile, said, { flag: 'a' });
    await waitFor(() => gateway.pid !== undefined, { what: 'the first daemon', timeoutMs: 1_000 });
  } finally {
    await second.dispose();
  }
}
