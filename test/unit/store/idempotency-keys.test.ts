import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeRecord } from '../../../src/core/record-codec.ts';
import { Log } from '../../../src/store/log/log.ts';
import { NO_SKIPS } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';

const WINDOW_MS = 1_000;
const SEQS = { reservedSeq: () => 0, reserveSeq: (needed: number) => needed + 1_000_000 };

describe('idempotency keys', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let log: Log;
  let now: number;
  let quality: 'synced' | 'unsynced';

  beforeEach(() => {
    directory = storeDirectory();
    now = 1_000_000;
    quality = 'synced';
    log = open();
  });

  afterEach(() => {
    log.close();
    directory.remove();
  });

  function open(limits: { maxKeys?: number; maxBytes?: number } = {}): Log {
    return new Log({
      file: `${directory.dataDir}/log.db`,
      durability: 'full',
      walBytes: 2 ** 20,
      keptBytes: 2 ** 20,
      idempotency: { windowMs: WINDOW_MS, maxKeys: 1_000, maxBytes: 2 ** 20, ...limits },
      machineId: 'm',
      clock: { now: () => now, elapsed: () => now, quality: () => quality, bootTime: () => undefined },
      skips: NO_SKIPS,
      seqs: SEQS,
    });
  }

  function reopen(limits: { maxKeys?: number; maxBytes?: number } = {}): void {
    log.close();
    log = open(limits);
  }

  function send(key: string, body = 1): 'stored' | 'repeated' | 'reused' {
    const idempotency = { device: 'd', key, fingerprint: Buffer.alloc(32, body) };
    const records = [{ stream: 'telemetry' as const, body: encodeRecord(newRecord(), 0) }];
    let appended: ReturnType<Log['append']> | undefined;
    log.transaction(() => {
      appended = log.append({ kind: 'records', handshake: null, idempotency, records });
    });
    return appended?.keyReused ? 'reused' : appended?.duplicate ? 'repeated' : 'stored';
  }

  it('are known for their window, over a restart, and then new again', () => {
    expect([send('a'), send('a')]).toEqual(['stored', 'repeated']);
    now += WINDOW_MS;
    reopen();
    expect([send('a'), send('a', 2)]).toEqual(['repeated', 'reused']);
    now += 1;
    expect([send('a', 2), send('a', 2), send('a')]).toEqual(['stored', 'repeated', 'reused']);
  });

  it('do not expire by a clock that was not synchronised, neither then nor now', () => {
    quality = 'unsynced';
    now = 0;
    send('early');
    quality = 'synced';
    now = 1_000_000_000;
    expect(send('early')).toBe('repeated');
    send('timely');
    quality = 'unsynced';
    now += 10 * WINDOW_MS;
    expect(send('timely')).toBe('repeated');
    quality = 'synced';
    expect(send('timely')).toBe('stored');
  });

  it('make room for newer ones, oldest first, when there are too many', () => {
    reopen({ maxKeys: 3 });
    for (const key of ['a', 'b', 'c', 'd']) send(key);
    expect(['b', 'c', 'd'].map((key) => send(key))).toEqual(['repeated', 'repeated', 'repeated']);
    expect(send('a')).toBe('stored');
    expect(send('b')).toBe('stored');
  });

  it('make room when they take too many bytes, also after the limit was lowered', () => {
    const long = (index: number) => String(index).padStart(255, '0');
    for (let index = 0; index < 20; index += 1) send(long(index));
    reopen({ maxBytes: 10_000 });
    expect(send(long(0))).toBe('stored');
    expect(send(long(19))).toBe('repeated');
  });

  it('go away with time although nobody repeats them', () => {
    for (let index = 0; index < 100; index += 1) send(`old ${index}`);
    now += WINDOW_MS + 1;
    for (let index = 0; index < 20; index += 1) send(`new ${index}`);
    reopen({ maxKeys: 20 });
    expect(Array.from({ length: 20 }, (_, index) => send(`new ${index}`))).toEqual(Array(20).fill('repeated'));
  });

  it('are forgotten together with the records of a transaction that failed', () => {
    const failing = () =>
      log.transaction(() => {
        const idempotency = { device: 'd', key: 'a', fingerprint: Buffer.alloc(32, 1) };
        const records = [{ stream: 'telemetry' as const, body: encodeRecord(newRecord(), 0) }];
        log.append({ kind: 'records', handshake: null, idempotency, records });
        throw new Error('the disk');
      });
    expect(failing).toThrow('the disk');
    expect(send('a')).toBe('stored');
  });
});
