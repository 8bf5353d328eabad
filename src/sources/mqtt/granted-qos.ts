import { lowerQos, type Qos } from './packet.ts';
import { matchesFilter } from './topics.ts';

/** By filter. */
export type Subscriptions = Readonly<Record<string, { readonly qos: Qos }>>;

export interface Delivered {
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
}

/**
 * The QoS a message may have for a client: aedes looks only at a subscription of exactly the topic's name, so behind
 * a wildcard QoS 2 and retained messages would keep the publisher's QoS [MQTT-3.8.4-6].
 */
export function grantedQos(subscriptions: Subscriptions, { topic, qos, retain }: Delivered): Qos {
  if (qos === 0 || (qos === 1 && !retain)) return qos;
  let granted: Qos | undefined;
  for (const [filter, subscription] of Object.entries(subscriptions)) {
    if (!matchesFilter(filter, topic)) continue;
    if (granted === undefined || subscription.qos > granted) granted = subscription.qos;
  }
  return granted === undefined ? qos : lowerQos(granted, qos);
}
