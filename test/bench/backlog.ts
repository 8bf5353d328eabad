import type { GatewayProcess } from '../support/gateway-process.ts';
import { type LoadResult, runLoad } from '../support/mqtt-load.ts';
import { progress } from '../support/verify.ts';

/** Fills the buffer of a gateway whose upstream is away, and makes sure that all of it is pending. */
export async function fillBacklog(gateway: GatewayProcess, records: number): Promise<LoadResult> {
  const shape = { clientCount: 20, inFlight: 20, payloadBytes: 150, prefix: 'backlog' };
  const result = await runLoad({ port: gateway.mqttPort, ...shape, messageCount: records });
  const { pending } = progress(gateway.dataDir);
  if (pending < records) throw new Error(`${records} records acknowledged, but only ${pending} are pending`);
  return result;
}

/** A steady trickle beside the real work: 100 messages a second from five devices. */
export function liveLoad(gateway: GatewayProcess, signal: AbortSignal): Promise<LoadResult> {
  const shape = { clientCount: 5, inFlight: 50, payloadBytes: 150, prefix: 'live', ratePerS: 100 };
  return runLoad({ port: gateway.mqttPort, ...shape, signal });
}
