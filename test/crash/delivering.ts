import type { GatewayProcess } from '../support/gateway-process.ts';
import { laneProgress } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';

/** Lanes of an uplink `sink` that a fleet's records go through. */
const LANES = ['sink/telemetry', 'sink/events', 'sink/state'];
const TIMEOUT_MS = 60_000;

/**
 * Resolves when more of every stream was delivered: one partition without a leader holds up its stream alone.
 * @returns milliseconds until then
 */
export async function deliveringAgain(gateway: GatewayProcess): Promise<number> {
  const startedAt = performance.now();
  const before = laneProgress(gateway.dataDir);
  const stalled = (): string[] => {
    const now = laneProgress(gateway.dataDir);
    return LANES.filter((lane) => (now.get(lane)?.delivered ?? 0) <= (before.get(lane)?.delivered ?? 0));
  };
  await waitFor(() => stalled().length === 0, {
    what: () => `records of ${stalled().join(', ')} to be delivered`,
    timeoutMs: TIMEOUT_MS,
    everyMs: 25,
  });
  return Math.round(performance.now() - startedAt);
}
