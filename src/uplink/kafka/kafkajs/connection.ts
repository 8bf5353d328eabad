import type { KafkaConfig } from 'kafkajs';
import { readTls } from '../credentials.ts';
import type { KafkaClientOptions } from '../kafka-client.ts';
import { kafkajs } from './load.ts';
import { loginAs } from './login.ts';
import { Sockets } from './sockets.ts';

export interface KafkajsConnection {
  readonly config: KafkaConfig & { readonly brokers: string[] };
  /** All connections that are made with `config`. */
  readonly sockets: Sockets;
}

/**
 * How kafkajs is told to connect.
 * @throws SluiceError when a file of `tls` cannot be used
 */
export function kafkajsConnection(options: KafkaClientOptions): KafkajsConnection {
  const { tls, sasl, clientId, connectionTimeout, requestTimeout, logger } = options;
  const hosts = new Map<string, string>();
  const brokers = options.brokers.map((broker) => withHostName(broker, hosts));
  const sockets = new Sockets({ hosts, tls: tls === false ? undefined : readTls(tls === true ? {} : tls) });
  const config = {
    brokers,
    clientId,
    connectionTimeout,
    requestTimeout,
    socketFactory: sockets.factory,
    ...(sasl === false ? {} : { sasl: loginAs(sasl) }),
    // Enough to try each broker once; all other patience is the forwarder's.
    retry: { retries: brokers.length - 1, initialRetryTime: 50, maxRetryTime: 1_000 },
    logLevel: kafkajs.logLevel.WARN,
    logCreator: (): ReturnType<NonNullable<KafkaConfig['logCreator']>> => (entry) => {
      logger.debug({ component: entry.namespace, detail: entry.log.message }, 'kafkajs');
    },
  };
  return { config, sockets };
}

/** kafkajs splits at the first colon, so an IPv6 address gets a name. */
function withHostName(broker: string, hosts: Map<string, string>): string {
  const [, address, port] = /^\[(.+)\]:(\d+)$/.exec(broker) ?? [];
  if (address === undefined || port === undefined) return broker;
  const name = `ipv6-${hosts.size}`;
  hosts.set(name, address);
  return `${name}:${port}`;
}
