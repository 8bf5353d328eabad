import { join, resolve } from 'node:path';
import type { Options, UplinkOptions } from './schema.ts';

type FileUplinkOptions = Extract<UplinkOptions, { type: 'file' }>;

export type KafkaUplinkConfig = Extract<UplinkOptions, { type: 'kafka' }>;
export type FileUplinkConfig = FileUplinkOptions & { readonly directory: string };
export type UplinkConfig = KafkaUplinkConfig | FileUplinkConfig;

/** The whole configuration: every option has its value, durations in milliseconds, sizes in bytes, paths absolute. */
export type Config = Omit<Options, 'uplinks'> & { readonly uplinks: readonly UplinkConfig[] };

/** Makes the paths absolute. Relative ones count from `base`. */
export function placePaths(options: Options, base: string): Config {
  const dataDir = resolve(base, options.gateway.dataDir);
  const uplinks = options.uplinks.map((uplink): UplinkConfig => {
    if (uplink.type !== 'file') return uplink;
    return { ...uplink, directory: resolve(base, uplink.directory ?? join(dataDir, `uplink-${uplink.name}`)) };
  });
  return { ...options, gateway: { ...options.gateway, dataDir }, uplinks };
}
