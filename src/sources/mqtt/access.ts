/** Who may publish and subscribe to what. Pure: an identity is a device id, or null for a trusted anonymous client. */

import { isSystemTopic } from './topics.ts';

export type Identity = string | null;

/** Topics on which the broker speaks to a device; a device may listen there, not speak. */
const FROM_BROKER = /^(status|commands(\/.*)?|state\/desired|state\/delta)$/s;
const STATUS = /^devices\/[^/]*\/status$/;

export function deviceTopic(device: string): string {
  return `devices/${device}/`;
}

/** `$SYS` and every `devices/{id}/status` are the broker's own. */
export function mayPublish(identity: Identity, topic: string): boolean {
  if (identity === null) return !isSystemTopic(topic) && !STATUS.test(topic);
  const own = deviceTopic(identity);
  return topic.startsWith(own) && topic.length > own.length && !FROM_BROKER.test(topic.slice(own.length));
}

/** A filter is allowed when everything that it can match is. */
export function maySubscribe(identity: Identity, filter: string): boolean {
  return identity === null ? !isSystemTopic(filter) : filter.startsWith(deviceTopic(identity));
}
