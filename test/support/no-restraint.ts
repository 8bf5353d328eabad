import { DeviceRates } from '../../src/ingest/device-rates.ts';
import { Shares } from '../../src/ingest/shares.ts';

/** Devices may send as much and as often as they like. */
export function noRestraint(): { shares: Shares; rates: DeviceRates } {
  return {
    shares: new Shares({ highWater: 1, windowMs: 1_000, keptMs: 1_000, refuses: true }),
    rates: new DeviceRates({ ratePerS: 0 }),
  };
}
