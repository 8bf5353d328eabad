import { Buffer } from 'node:buffer';
import type { NewRecord } from '../../../src/core/record.ts';
import { readMachineId } from '../../../src/platform/machine-id.ts';
import { type Ledger, recordId } from '../../support/ledger.ts';
import { openStore } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';

const BATCH = 1_000;
/** Makes about 200 bytes of each in the log. */
const PADDING = ' '.repeat(80);

/** Puts records of one device into a store whose gateway does not run. */
export async function fillStore(dataDir: string, ledger: Ledger, count: number): Promise<void> {
  const store = await openStore({ dataDir, machineId: readMachineId() });
  for (let left = count; left > 0; left -= BATCH) {
    await store.client.append(entryOf(...Array.from({ length: Math.min(left, BATCH) }, () => nextOf(ledger))));
  }
  await store.close();
}

function nextOf(ledger: Ledger): NewRecord {
  const number = ledger.issue();
  ledger.acknowledge(number);
  const value = Buffer.from(`{"id":"${recordId(ledger.device, number)}","value":${number % 100}}${PADDING}`);
  return newRecord({ device: ledger.device, channel: `devices/${ledger.device}/telemetry`, value });
}
