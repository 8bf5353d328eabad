import { Buffer } from 'node:buffer';
import { stat } from 'node:fs/promises';
import { memoryUsage } from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenPort } from '../../../../src/sources/serial/open-port.ts';
import { PortLife, type PortLifeParts } from '../../../../src/sources/serial/port-life.ts';
import { waitFor } from '../../../support/wait-for.ts';

const LINE = { baudRate: 9600, dataBits: 8, stopBits: 1, parity: 'none', flowControl: 'none' } as const;
/** Something that is there. */
const OPTIONS = { path: '/dev/null', line: LINE, lock: true, silenceTimeout: 0 };
const never = new Promise<void>(() => undefined);
const QUIET: OpenPort = {
  read: () => never,
  caughtUp: () => never,
  write: () => never,
  close: () => Promise.resolve(),
};

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

let ending: AbortController;
let ended: Promise<void>;

beforeEach(() => {
  ending = new AbortController();
});

afterEach(async () => {
  ending.abort();
  await ended;
});

function live(parts: Partial<PortLifeParts>): void {
  const life = new PortLife({
    options: OPTIONS,
    open: () => Promise.resolve(QUIET),
    listen: () => ({ take: () => undefined, closed: () => undefined }),
    onState: () => undefined,
    lookMs: 0,
    ...parts,
  });
  ended = life.run(ending.signal);
}

/** Calls back at each look at the port. */
function counted(options: typeof OPTIONS, onLook: () => void): typeof OPTIONS {
  const get = () => {
    onLook();
    return options.path;
  };
  return Object.defineProperty({ ...options }, 'path', { get });
}

describe('a port that is open', () => {
  it('is not silent while what it said waits for room', async () => {
    const states: string[] = [];
    const heldBack = Promise.withResolvers<void>();
    let lookCount = 0;
    const read: OpenPort['read'] = async (onBytes) => {
      await onBytes(Buffer.from('x'));
      await never;
    };
    live({
      options: counted({ ...OPTIONS, silenceTimeout: 1 }, () => {
        lookCount += 1;
      }),
      open: () => Promise.resolve({ ...QUIET, read }),
      listen: () => ({ take: () => heldBack.promise, closed: () => undefined }),
      onState: (state) => states.push(state.kind),
    });
    await waitFor(() => lookCount > 20, { what: 'the looks', timeoutMs: 5_000 });
    expect(states).toEqual(['open']);
    heldBack.resolve();
    await waitFor(() => states.includes('closed'), { what: 'the silence to be noticed', timeoutMs: 5_000 });
  });

  it('is not opened again and again when it is gone at once each time', async () => {
    let openCount = 0;
    const open = (): Promise<OpenPort> => {
      openCount += 1;
      return Promise.resolve({ ...QUIET, read: () => Promise.resolve() });
    };
    const states: string[] = [];
    live({ open, onState: (state) => states.push(state.kind), lookMs: 60_000 });
    await waitFor(() => states.includes('closed'), { what: 'the port to be gone', timeoutMs: 5_000 });
    for (let turn = 0; turn < 20; turn += 1) await stat(OPTIONS.path);
    expect(openCount).toBe(1);
  });

  it('takes no more memory the longer it is', async () => {
    let lookCount = 0;
    live({
      options: counted(OPTIONS, () => {
        lookCount += 1;
      }),
    });
    const heapAfter = async (count: number): Promise<number> => {
      await waitFor(() => lookCount >= count, { what: 'the looks', timeoutMs: 30_000 });
      collect();
      return memoryUsage().heapUsed;
    };
    const before = await heapAfter(500);
    const bytesPerLook = ((await heapAfter(2_500)) - before) / 2_000;
    expect(bytesPerLook).toBeLessThan(100);
  });
});
