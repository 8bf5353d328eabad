import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import { readMachineId } from '../platform/machine-id.ts';
import type { StoreOptions } from '../store/protocol.ts';

/** What the configuration says of the store. */
export function storeOptionsOf({ buffer, gateway, http }: Config): StoreOptions {
  return {
    dataDir: gateway.dataDir,
    maxBytes: buffer.maxBytes,
    maxAgeMs: buffer.maxAge,
    keepFreeBytes: buffer.keepFree,
    whenFull: buffer.whenFull,
    durability: buffer.durability,
    commitIntervalMs: buffer.commitInterval,
    machineId: readMachineId(),
    gatewayId: gateway.id,
    hostName: hostname(),
    idempotency: { windowMs: http.idempotencyWindow, maxKeys: http.maxIdempotencyKeys },
  };
}
