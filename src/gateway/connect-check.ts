import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import { defaultGatewayId, readMachineId } from '../platform/machine-id.ts';
import { checkUplink } from '../uplink/check/check-uplink.ts';
import type { UplinkReport } from '../uplink/check/report.ts';

export type { UplinkReport };

/**
 * Tries all uplinks of a configuration out, one after the other. Neither opens the store nor asks a running gateway.
 * `gatewayId`: as a running gateway says it is called.
 */
export async function* checkUplinks(config: Config, gatewayId?: string): AsyncGenerator<UplinkReport> {
  const { gateway, buffer, mqtt, uplinks } = config;
  const context = {
    gatewayId: gatewayId ?? gateway.id ?? defaultGatewayId(hostname(), readMachineId() ?? ''),
    routes: mqtt.routes,
    dataDir: gateway.dataDir,
    maxAge: buffer.maxAge,
    maxMessageBytes: mqtt.listeners.length > 0 ? mqtt.maxPacketSize : 0,
  };
  for (const uplink of uplinks) yield await checkUplink(uplink, context);
}
