const NAMESPACE = 'devices/';

export function isBelowDevices(topic: string): boolean {
  return topic.startsWith(NAMESPACE);
}

/** Whether the topic is below `devices/{device}/`, where that device needs no grant. */
export function isOwnTopic(device: string, topic: string): boolean {
  return topic.startsWith(ownTopics(device));
}

/** What the topics of a device begin with. */
export function ownTopics(device: string): string {
  return `${NAMESPACE}${device}/`;
}

/** `devices/{id}/…`, and of it only what devices may publish. */
const DEVICE_TOPIC = /^devices\/[^/]*\/(?:telemetry(?:\/[^/]*)?|events\/[^/]*|state\/reported|responses\/[^/]+)$/;

/** Whether the topic belongs to the default namespace, so that no route is asked. */
export function isDeviceTopic(topic: string): boolean {
  return DEVICE_TOPIC.test(topic);
}
