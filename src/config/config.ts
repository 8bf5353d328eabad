import { join, resolve } from 'node:path';
import type { RouteOptions } from '../core/route.ts';
import type { Options, UplinkOptions } from './schema.ts';

type FileUplinkOptions = Extract<UplinkOptions, { type: 'file' }>;

export type KafkaUplinkConfig = Extract<UplinkOptions, { type: 'kafka' }>;
export type FileUplinkConfig = FileUplinkOptions & { readonly directory: string };
export type UplinkConfig = KafkaUplinkConfig | FileUplinkConfig;

/** The whole configuration: every option has its value, durations in milliseconds, sizes in bytes, paths absolute. */
export type Config = Omit<Options, 'uplinks' | 'mqtt'> & {
  readonly uplinks: readonly UplinkConfig[];
  /** `routes`: those of `includeRoutes` too. */
  readonly mqtt: Omit<Options['mqtt'], 'routes'> & { readonly routes: readonly RouteOptions[] };
};

/** Makes the paths absolute. Relative ones count from `base`. */
export function placePaths(options: Options, base: string): Config {
  const dataDir = resolve(base, options.gateway.dataDir);
  const uplinks = options.uplinks.map((uplink): UplinkConfig => {
    if (uplink.type !== 'file') return placeKafkaPaths(uplink, base);
    return { ...uplink, directory: resolve(base, uplink.directory ?? join(dataDir, `uplink-${uplink.name}`)) };
  });
  const answering = options.api.listeners.map((listener) => {
    const { tls } = listener;
    return tls === undefined ? listener : { ...listener, tls: placed(tls, base, ['certFile', 'keyFile']) };
  });
  const api = placed({ ...options.api, listeners: answering }, base, ['tokensFile']);
  const listeners = options.mqtt.listeners.map((listener) => {
    const { tls } = listener;
    return tls === undefined ? listener : { ...listener, tls: placed(tls, base, ['certFile', 'keyFile', 'caFile']) };
  });
  const mqtt = { ...options.mqtt, listeners };
  return { ...options, gateway: { ...options.gateway, dataDir }, mqtt, uplinks, api };
}

function placeKafkaPaths(uplink: KafkaUplinkConfig, base: string): KafkaUplinkConfig {
  const { tls, sasl } = uplink;
  return {
    ...uplink,
    tls: typeof tls === 'boolean' ? tls : placed(tls, base, ['caFile', 'certFile', 'keyFile']),
    sasl: sasl === false ? sasl : placed(sasl, base, ['passwordFile', 'tokenFile']),
  };
}

/** The same options with those that are paths made absolute. */
function placed<K extends string, T extends { readonly [Key in K]?: string | undefined }>(
  options: T,
  base: string,
  paths: readonly K[],
): T {
  const given = paths.filter((name) => options[name] !== undefined);
  return { ...options, ...Object.fromEntries(given.map((name) => [name, resolve(base, options[name] ?? '')])) };
}
