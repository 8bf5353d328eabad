import { setTimeout as delay } from 'node:timers/promises';
import type { GatewayProcess } from '../support/gateway-process.ts';
import { progress } from '../support/verify.ts';

const STALLED_MS = 60_000;
const LOOK_MS = 100;

/**
 * Resolves when nothing is pending. A busy machine may take long for that: it fails when for a minute nothing more was
 * delivered, with what the gateway says of its uplinks.
 */
export async function drained(gateway: GatewayProcess): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  let stalledAt = performance.now() + STALLED_MS;
  for (;;) {
    const pending = pendingIn(gateway) ?? least;
    // Counts of a control may go too far.
    if (pending <= 0) return;
    if (pending < least) stalledAt = performance.now() + STALLED_MS;
    least = Math.min(least, pending);
    if (performance.now() > stalledAt) throw new Error(`${pending} records stay pending: ${await uplinksOf(gateway)}`);
    await delay(LOOK_MS);
  }
}

/** Undefined when it cannot be looked into at this moment. */
function pendingIn(gateway: GatewayProcess): number | undefined {
  try {
    return progress(gateway.dataDir).pending;
  } catch {
    return undefined;
  }
}

async function uplinksOf(gateway: GatewayProcess): Promise<string> {
  try {
    return JSON.stringify(await gateway.get('/v1/uplinks'));
  } catch (error) {
    return `its API does not answer: ${error}`;
  }
}
