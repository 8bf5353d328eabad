import { isBrokerTopic, isOwnTopic, nameInNamespace } from '../core/device-topic.ts';
import { placeholdersOf } from '../core/placeholders.ts';
import { parseTopicPattern } from '../core/topic-pattern.ts';
import type { ConfigDocument } from './document.ts';
import { isLoopback } from './loopback.ts';
import type { Problem } from './problem.ts';
import type { Options } from './schema.ts';

/** What a good configuration allows, but should be known. */
export function warningsOf(options: Options, document: ConfigDocument): readonly Problem[] {
  const warners = [
    openListeners,
    namedByPayload,
    deadGrants,
    openTokens,
    openPasswords,
    idleReplaces,
    changingPaths,
    repeatedFrames,
  ];
  return warners.flatMap((warner) => warner(options, document));
}

function openListeners({ mqtt }: Options, document: ConfigDocument): readonly Problem[] {
  return mqtt.listeners.flatMap(({ host, anonymous, tls }, index) => {
    if (isLoopback(host) || (!anonymous && tls !== undefined)) return [];
    const path = ['mqtt', 'listeners', index, anonymous ? 'anonymous' : 'host'];
    const message = anonymous
      ? `everybody who reaches ${host} can publish and subscribe without a password`
      : `passwords sent to ${host} can be read on the network, because there is no tls`;
    return [document.problemAt(path, message)];
  });
}

function namedByPayload({ mqtt }: Options, document: ConfigDocument): readonly Problem[] {
  if (mqtt.listeners.every(({ anonymous }) => anonymous)) return [];
  return mqtt.routes.flatMap(({ device, format, topic }, index) => {
    const pattern = parseTopicPattern(topic);
    const captured = typeof pattern === 'string' || pattern.captures.has('base');
    if (format !== 'senml' || captured || !placeholdersOf(device).includes('base')) return [];
    const message = 'the payload says whose it is: who may publish there names any device';
    return [document.problemAt(['mqtt', 'routes', index, 'device'], message)];
  });
}

function deadGrants({ mqtt }: Options, document: ConfigDocument): readonly Problem[] {
  return mqtt.grants.flatMap(({ device, publish }, index) => {
    const dead = [...publish.keys()].filter((at) => isOfBroker(publish[at] ?? '', device));
    const message = 'never acts: there only the broker publishes';
    return dead.map((at) => document.problemAt(['mqtt', 'grants', index, 'publish', at], message));
  });
}

/** Whether all that the filter matches is closed: the `status` of every device, and where the broker speaks to this one. */
function isOfBroker(filter: string, device: string): boolean {
  const isOwn = isOwnTopic('{device}', filter) || isOwnTopic(device, filter);
  return isOwn ? isBrokerTopic(filter) : nameInNamespace(filter) === 'status';
}

function openTokens({ api }: Options, document: ConfigDocument): readonly Problem[] {
  return api.listeners.flatMap(({ host, tls }, index) => {
    if (tls !== undefined || isLoopback(host)) return [];
    const message = `tokens sent to ${host} can be read on the network, because there is no tls`;
    return [document.problemAt(['api', 'listeners', index, 'host'], message)];
  });
}

function openPasswords({ uplinks }: Options, document: ConfigDocument): readonly Problem[] {
  return uplinks.flatMap((uplink, index) => {
    if (uplink.type !== 'kafka' || uplink.sasl === false || uplink.tls !== false) return [];
    const { mechanism } = uplink.sasl;
    const isOnThisMachine = uplink.brokers.every((broker) => isLoopback(broker.replace(/:\d+$|[[\]]/g, '')));
    if (isOnThisMachine || (mechanism !== 'plain' && mechanism !== 'oauthbearer')) return [];
    const message = `${mechanism} without tls: everybody between here and the brokers can read the secret`;
    return [document.problemAt(['uplinks', index, 'sasl', 'mechanism'], message)];
  });
}

function idleReplaces({ uplinks }: Options, document: ConfigDocument): readonly Problem[] {
  return uplinks.flatMap((uplink, index) => {
    if (uplink.type !== 'kafka' || uplink.replaces === undefined || uplink.delivery === 'exactly_once') return [];
    const message =
      'has no effect without delivery: exactly_once, which alone gives a gateway a name at Kafka to take over';
    return [document.problemAt(['uplinks', index, 'replaces'], message)];
  });
}

function changingPaths({ serial }: Options, document: ConfigDocument): readonly Problem[] {
  return serial.flatMap(({ path }, index) => {
    if (!/^\/dev\/tty(?:USB|ACM)\d+$/.test(path)) return [];
    const message =
      'may be another device when they are plugged in in another order: its link in /dev/serial/by-id stays the same';
    return [document.problemAt(['serial', index, 'path'], message)];
  });
}

function repeatedFrames({ serial }: Options, document: ConfigDocument): readonly Problem[] {
  return serial.flatMap(({ ack, dedupe }, index) => {
    if (ack === undefined || dedupe !== undefined) return [];
    const message = 'without dedupe a frame whose acknowledgement is lost, and that is sent again, is stored twice';
    return [document.problemAt(['serial', index, 'ack'], message)];
  });
}
