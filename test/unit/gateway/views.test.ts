import { beforeEach, describe, expect, it } from 'vitest';
import type { CommandDesk } from '../../../src/devices/commands/command-desk.ts';
import { DeviceTable } from '../../../src/devices/device-table.ts';
import { UplinkThread } from '../../../src/gateway/uplink-thread.ts';
import { Views, type ViewsParts } from '../../../src/gateway/views.ts';
import type { ThreadName } from '../../../src/platform/beats.ts';
import { FakeStateStore } from '../../support/fake-state-store.ts';
import { serialPortView } from '../../support/fake-views.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { unwatched } from '../../support/unwatched.ts';
import { kafkaOptions } from '../../support/uplink-options.ts';

describe('the views', () => {
  it('let nothing of a removed device come back with what its session had sent before', async () => {
    const now = Date.now;
    const read = () => Promise.resolve({ records: [], damaged: [], upTo: 0, hasMore: false });
    const ports = { state: new FakeStateStore(), read, logger: new MemoryLogger(), now };
    const devices = new DeviceTable({ maxDevices: 10, maxMetrics: 10 }, ports);
    await devices.add('pump');
    const late = { device: 'pump', receivedAt: 1, observedAt: null, seq: 1, metrics: { on: true } };
    const told: string[] = [];
    const mqtt = { forget: async (id: string) => void told.push(`forget ${id}`) } as ViewsParts['mqtt'];
    const ingest = { settled: async () => devices.recordsAccepted([late]) };
    const commands = { cancelAllOf: (id: string) => void told.push(`cancel ${id}`) } as CommandDesk;
    const parts: Pick<ViewsParts, 'devices' | 'commands' | 'mqtt' | 'ingest'> = { devices, commands, mqtt, ingest };
    const { registry } = new Views(parts as ViewsParts);
    expect(await registry.remove('pump')).toBe(true);
    expect([devices.get('pump'), told]).toEqual([undefined, ['forget pump', 'cancel pump']]);
  });

  it('say which serial port needs somebody’s help, and not which is away', () => {
    const reason = 'this user may not open it';
    const refused = serialPortView({ name: 'a', state: 'refused', reason });
    const unit = (number: number, fault: string | null) => ({
      ...{ unitId: number, device: null, isOnline: false, lastAnswerAt: null, reason: fault },
    });
    const units = [1, 2, 3, 4, 5, 6].map((number) => unit(number, number === 1 ? null : 'it does not answer'));
    const ports = [
      refused,
      serialPortView({ name: 'b', state: 'absent', units: [] }),
      serialPortView({ name: 'c', units: units.slice(0, 2) }),
      serialPortView({ name: 'd', units }),
    ];
    const serial = { ports: () => ports };
    const uplinks = { list: () => [] };
    const stats = { failure: () => null, latest: () => ({ full: null, salvageStuck: null }) };
    const clock = { state: () => 'synced' };
    const watch = { whyStuck: () => null };
    const views = new Views({ serial, uplinks, stats, clock, watch } as unknown as ViewsParts);
    expect(views.health().filter(({ name }) => name.startsWith('serial'))).toEqual([
      { name: 'serial:a', status: 'degraded', reason },
      { name: 'serial:b', status: 'ok', reason: null },
      { name: 'serial:c', status: 'degraded', reason: 'unit 2: it does not answer' },
      {
        name: 'serial:d',
        status: 'degraded',
        reason: 'unit 2: it does not answer; unit 3: it does not answer; unit 4: it does not answer; and 2 more units',
      },
    ]);
  });
});

describe('health', () => {
  let stuck: ThreadName | undefined;
  let failure: string | null;
  let salvageStuck: string | null;

  beforeEach(() => {
    stuck = undefined;
    failure = null;
    salvageStuck = null;
  });

  function views(): Views {
    const whyStuck = (thread: ThreadName) => (thread === stuck ? `${thread} has not answered` : null);
    const uplinks = new UplinkThread({
      uplinks: [kafkaOptions()],
      watch: unwatched(),
      whyStuck: () => whyStuck('uplink-worker'),
      onDeath: () => undefined,
    });
    const stats = { failure: () => failure, latest: () => ({ full: null, salvageStuck }) };
    const clock = { state: () => 'synced' };
    return new Views({
      stats,
      clock,
      uplinks,
      serial: { ports: () => [] },
      watch: { whyStuck },
    } as unknown as ViewsParts);
  }

  function wrong(): string[] {
    return views()
      .health()
      .filter(({ reason }) => reason !== null && reason !== 'connecting')
      .map(({ name, status, reason }) => `${name} ${status}: ${reason}`);
  }

  it('has nothing to say while all threads answer', () => {
    expect(wrong()).toEqual([]);
  });

  it('says what keeps a damaged log from being put back', () => {
    salvageStuck = 'EIO: i/o error, read';
    expect(wrong()).toEqual([
      'salvage degraded: nothing is forwarded until the disk gives the damaged log that is put back (EIO: i/o error, read)',
    ]);
  });

  it('names the thread that does not answer: nothing is accepted without the store, and the rest is degraded', () => {
    stuck = 'store-worker';
    expect(wrong()).toEqual(['store failed: store-worker has not answered']);
    stuck = 'uplink-worker';
    expect(wrong()).toEqual(['uplink:plant degraded: uplink-worker has not answered']);
    expect(views().uplinks.list()).toMatchObject([{ link: { state: 'down', code: 'stuck' } }]);
    stuck = 'reader-worker';
    expect(wrong()).toEqual(['reader degraded: reader-worker has not answered']);
    stuck = 'serial-worker';
    expect(wrong()).toEqual(['serial degraded: serial-worker has not answered']);
  });

  it('says why the figures of the store are old', () => {
    failure = 'disk I/O error';
    expect(wrong()).toEqual(['store failed: disk I/O error']);
  });
});
