import { describe, expect, it } from 'vitest';
import { DeviceTable } from '../../../src/devices/device-table.ts';
import { Views, type ViewsParts } from '../../../src/gateway/views.ts';
import { FakeStateStore } from '../../support/fake-state-store.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

describe('the views', () => {
  it('let nothing of a removed device come back with what its session had sent before', async () => {
    const now = Date.now;
    const read = () => Promise.resolve({ records: [], damaged: [], upTo: 0 });
    const ports = { state: new FakeStateStore(), read, logger: new MemoryLogger(), now };
    const devices = new DeviceTable({ maxDevices: 10, maxMetrics: 10 }, ports);
    await devices.add('pump');
    const late = { device: 'pump', receivedAt: 1, observedAt: null, seq: 1, metrics: { on: true } };
    const told: string[] = [];
    const mqtt = { forget: async (id: string) => void told.push(`forget ${id}`) } as ViewsParts['mqtt'];
    const ingest = { settled: async () => devices.recordsAccepted([late]) };
    const parts: Pick<ViewsParts, 'devices' | 'mqtt' | 'ingest'> = { devices, mqtt, ingest };
    const { registry } = new Views(parts as ViewsParts);
    expect(await registry.remove('pump')).toBe(true);
    expect([devices.get('pump'), told]).toEqual([undefined, ['forget pump']]);
  });
});
