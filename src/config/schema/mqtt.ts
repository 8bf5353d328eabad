import { z } from 'zod';
import { grants } from './grants.ts';
import { checkDistinct } from './listener.ts';
import { mqttListener } from './mqtt-listener.ts';
import { ANY_LIST, count, duration, section, size } from './options.ts';
import { includeRoutes, routes, zone } from './routes.ts';

export const mqtt = section({
  listeners: z
    .array(mqttListener)
    .max(16)
    .superRefine(checkDistinct, ANY_LIST)
    .prefault([{}])
    .meta({ description: 'Addresses where MQTT clients connect. An empty list switches MQTT off.' }),
  maxPacketSize: size('256KiB', 'Largest MQTT packet taken; a client that sends a larger one is disconnected.', {
    min: '1KiB',
    max: '64MiB',
  }),
  maxPacketSizeBeforeConnect: size('16KiB', 'The same, as long as a client has not been let in.', {
    min: '128B',
    max: '1MiB',
  }),
  maxClients: count(500, 'Clients connected at once; more are turned away.', { min: 1, max: 100_000, unit: 'clients' }),
  maxConnectRate: count(
    100,
    'New connections per second, of all clients together; what comes faster waits, the addresses in turn. 0: no limit.',
    { min: 0, max: 100_000, unit: 'connections/s' },
  ),
  maxPublishRate: count(5000, 'Messages per second of one client; over it the client is slowed down. 0: no limit.', {
    min: 0,
    max: 1_000_000,
    unit: 'messages/s',
  }),
  maxQueuedMessages: count(
    1000,
    'Messages of QoS 1 and 2 that wait for one client with a session, there or away; further ones are not kept for it.',
    { min: 0, max: 60_000, unit: 'messages' },
  ),
  maxQueuedBytes: size(
    '4MiB',
    'What they may take together, topics included. All sessions together: 32 MiB, or an eighth of buffer.maxBytes.',
    { min: '1KiB', max: '32MiB' },
  ),
  maxQueuedAge: duration('7d', 'Messages that waited so long for a client that is away are given up.', {
    min: '1s',
    max: '3650d',
  }),
  sessionExpiry: duration('30d', 'A session ends, with what waits in it, when its client was away for so long.', {
    min: '1s',
    max: '3650d',
  }),
  maxTopicLevels: count(16, 'Levels of a topic; a publish or subscription with more is refused.', {
    min: 4,
    max: 100,
    unit: 'levels',
  }),
  drainTimeout: duration(
    '10s',
    'A subscriber that reads nothing for so long is disconnected, so that it stalls nobody.',
    {
      min: '100ms',
      max: '1h',
    },
  ),
  connectTimeout: duration('10s', 'Time for a new connection to send its CONNECT.', { min: '100ms', max: '10m' }),
  routes,
  includeRoutes,
  zone: zone('Where times without an offset are at home, in routes that name no zone.').prefault('UTC'),
  grants,
});
