export interface KafkaListener {
  /** Upper case. */
  readonly name: string;
  readonly protocol: 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
  readonly port: number;
  /** What its clients are told to come back to. Default 127.0.0.1. */
  readonly host?: string;
  /** Lines of server.properties below `listener.name.{name}.`. */
  readonly properties?: Readonly<Record<string, string>>;
}

export interface BrokerPorts {
  readonly broker: number;
  readonly controller: number;
  /** Of a second listener, whose clients are told to come back to `advertised`. */
  readonly relay?: { readonly port: number; readonly advertised: number };
}

/** server.properties of a broker that is a controller too, on loopback, without security at its plain listener. */
export function brokerProperties(
  { broker, controller, relay }: BrokerPorts,
  more: readonly KafkaListener[] = [],
): Record<string, unknown> {
  const listeners = [`PLAINTEXT://127.0.0.1:${broker}`];
  const advertised = [...listeners];
  if (relay !== undefined) {
    listeners.push(`RELAY://127.0.0.1:${relay.port}`);
    advertised.push(`RELAY://127.0.0.1:${relay.advertised}`);
  }
  listeners.push(...more.map(({ name, port }) => `${name}://127.0.0.1:${port}`));
  advertised.push(...more.map(({ name, port, host = '127.0.0.1' }) => `${name}://${host}:${port}`));
  const protocols = ['PLAINTEXT:PLAINTEXT', 'RELAY:PLAINTEXT', 'CONTROLLER:PLAINTEXT'];
  const ofListeners = more.flatMap(({ name, properties = {} }) =>
    Object.entries(properties).map(([key, value]) => [`listener.name.${name.toLowerCase()}.${key}`, value]),
  );
  return {
    'process.roles': 'broker,controller',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': [...protocols, ...more.map(({ name, protocol }) => `${name}:${protocol}`)].join(
      ',',
    ),
    listeners: [...listeners, `CONTROLLER://127.0.0.1:${controller}`].join(','),
    'advertised.listeners': advertised.join(','),
    // A killed broker may register again only when its session has run out; the default is nine seconds.
    'broker.session.timeout.ms': 2_000,
    'broker.heartbeat.interval.ms': 250,
    'num.network.threads': 2,
    'num.io.threads': 2,
    'num.partitions': 1,
    'auto.create.topics.enable': false,
    'group.initial.rebalance.delay.ms': 0,
    ...internalTopics({ partitions: 1, replicas: 1, minInSync: 1 }),
    ...Object.fromEntries(ofListeners),
  };
}

export interface Replication {
  readonly partitions: number;
  readonly replicas: number;
  /** Replicas that must have a record before it is confirmed. */
  readonly minInSync: number;
}

/** Of the topics in which Kafka keeps positions and transactions. */
export function internalTopics({ partitions, replicas, minInSync }: Replication): Record<string, number> {
  return {
    'offsets.topic.num.partitions': partitions,
    'offsets.topic.replication.factor': replicas,
    'transaction.state.log.num.partitions': partitions,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': minInSync,
  };
}
