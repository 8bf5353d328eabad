import { readMachineId } from '../../src/platform/machine-id.ts';
import { openStore } from './open-store.ts';
import { entryOf, newRecord } from './records.ts';

/**
 * A store as a gateway left it: two records of the device `camera`, both rejected by the uplink `plant`, their ids 1
 * and 2. Other uplinks have seen nothing of it yet.
 */
export async function writeRejectedStore(dataDir: string): Promise<void> {
  const store = await openStore({ dataDir, machineId: readMachineId() });
  const lane = { uplink: 'plant', stream: 'telemetry' } as const;
  const from = await store.lanes.open(lane, 'now');
  const record = newRecord({ device: 'camera', channel: 'devices/camera/telemetry' });
  const { firstSeq } = await store.client.append(entryOf(record, record));
  const rejected = [firstSeq, firstSeq + 1].map((seq) => ({
    seq,
    reason: 'message_too_large',
    detail: 'the broker takes 1 MiB',
  }));
  await store.lanes.settle({ lane, from, upTo: firstSeq + 1, deliveredCount: 0, rejected });
  await store.close();
}
