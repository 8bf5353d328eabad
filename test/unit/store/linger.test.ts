import { setImmediate as turn } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LogEntry } from '../../../src/core/ports.ts';
import { StoreClient } from '../../../src/store/store-client.ts';
import { entryOf, newRecord } from '../../support/records.ts';

const AWAITED = entryOf(newRecord());
const LINGERS: LogEntry = { kind: 'records', records: [newRecord()], handshake: null, mayLinger: true };

describe('what nobody waits for', () => {
  let channel: MessageChannel;
  let store: StoreClient;
  let packCount: number;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    channel = new MessageChannel();
    store = new StoreClient(channel.port1);
    packCount = 0;
    channel.port2.on('message', ({ op }: { op: string }) => {
      if (op === 'append') packCount += 1;
    });
  });

  afterEach(() => {
    channel.port1.close();
    channel.port2.close();
    vi.useRealTimers();
  });

  function append(...entries: readonly LogEntry[]): void {
    for (const entry of entries) void store.append(entry);
  }

  async function turns(count: number): Promise<void> {
    for (let at = 0; at < count; at += 1) await turn();
  }

  it('is handed to the store together with what comes within a moment', async () => {
    append(LINGERS);
    await turns(10);
    append(LINGERS);
    await turns(10);
    expect(packCount).toBe(0);
    vi.advanceTimersByTime(50);
    await turns(10);
    expect(packCount).toBe(1);
  });

  it('goes at once with what somebody waits for, and keeps that waiting for nothing', async () => {
    append(LINGERS, AWAITED);
    await turns(10);
    expect(packCount).toBe(1);
    append(AWAITED);
    await turns(10);
    expect(packCount).toBe(2);
    append(LINGERS);
    await turns(10);
    expect(packCount).toBe(2);
    append(AWAITED);
    await turns(10);
    expect(packCount).toBe(3);
  });

  it('goes at once when there is much of it', async () => {
    append(...Array.from({ length: 999 }, () => LINGERS));
    await turns(10);
    expect(packCount).toBe(0);
    append(LINGERS);
    await turns(10);
    expect(packCount).toBe(1);
  });

  it('goes at once before a stop', async () => {
    append(LINGERS);
    void store.hurry();
    await turns(10);
    expect(packCount).toBe(1);
    append(LINGERS);
    await turns(10);
    expect(packCount).toBe(2);
  });
});
