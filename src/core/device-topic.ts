/** `devices/{id}/…`, and of it only what devices may publish. */
const DEVICE_TOPIC = /^devices\/[^/]*\/(?:telemetry(?:\/[^/]*)?|events\/[^/]*|state\/reported|responses\/[^/]+)$/;

/** Whether the topic belongs to the default namespace, so that no route is asked. */
export function isDeviceTopic(topic: string): boolean {
  return DEVICE_TOPIC.test(topic);
}
