import type { GatewayProcess } from './gateway-process.ts';

/** Whether every port that is configured is open. */
export async function areSerialPortsOpen(gateway: GatewayProcess): Promise<boolean> {
  const { ports } = (await gateway.get('/v1/serial/ports')) as { ports: readonly { readonly state: string }[] };
  return ports.every(({ state }) => state === 'open');
}
