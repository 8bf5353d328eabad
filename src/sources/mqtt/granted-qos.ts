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
  // There may be a thousand, for each of which a list would be made anew with every message.
  for (const filter in subscriptions) {
    const subscription = subscriptions[filter];
    if (subscription === undefined || (granted !== undefined && subscription.qos <= granted)) continue;
    if (!matchesFilter(filter, topic)) continue;
    // More than the message has cannot be granted.
    if (subscription.qos >= qos) return qos;
    granted = subscription.qos;
  }
  return granted === undefined ? qos : lowerQos(granted, qos);
}
