/** The default namespace, `devices/{id}/…`: the one place that says what it knows. */

const NAMESPACE = 'devices/';
/** What devices may publish below `devices/{id}/`. */
const FROM_DEVICE = /^(?:telemetry(?:\/[^/]*)?|events\/[^/]*|state\/reported|responses\/[^/]+)$/;
/** Where the broker speaks to a device. */
const FROM_BROKER = /^(?:status|commands(?:\/.*)?|state\/(?:desired|delta))$/s;

export function isBelowDevices(topic: string): boolean {
  return topic.startsWith(NAMESPACE);
}

/** Whether the topic is below `devices/{device}/`, where that device needs no grant. */
export function isOwnTopic(device: string, topic: string): boolean {
  return topic.startsWith(`${NAMESPACE}${device}/`);
}

/** The id in `devices/{id}/…`, whatever stands behind it; undefined for any other topic. */
export function deviceOfTopic(topic: string): string | undefined {
  const end = endOfId(topic);
  return end > NAMESPACE.length ? topic.slice(NAMESPACE.length, end) : undefined;
}

/** What stands behind `devices/{id}/`; undefined for any other topic. */
export function nameInNamespace(topic: string): string | undefined {
  const end = endOfId(topic);
  return end === -1 ? undefined : topic.slice(end + 1);
}

/** Whether the topic is one that devices publish in the default namespace, so that no route is asked. */
export function isDeviceTopic(topic: string): boolean {
  const name = nameInNamespace(topic);
  return name !== undefined && FROM_DEVICE.test(name);
}

/** Whether the topic is one on which the broker speaks to a device. */
export function isBrokerTopic(topic: string): boolean {
  const name = nameInNamespace(topic);
  return name !== undefined && FROM_BROKER.test(name);
}

/** Where the id of `devices/{id}/…` ends; -1 for any other topic. */
function endOfId(topic: string): number {
  return isBelowDevices(topic) ? topic.indexOf('/', NAMESPACE.length) : -1;
}
