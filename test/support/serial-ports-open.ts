import type { GatewayProcess } from './gateway-process.ts';
import { waitFor } from './wait-for.ts';

/** Resolves when every port that is configured is open. */
export async function serialPortsOpen(gateway: GatewayProcess, timeoutMs: number): Promise<void> {
  const areOpen = async (): Promise<boolean> => {
    const { ports } = (await gateway.get('/v1/serial/ports')) as { ports: readonly { readonly state: string }[] };
    return ports.every(({ state }) => state === 'open');
  };
  await waitFor(areOpen, { what: 'every serial port to be open', timeoutMs });
}
