import { z } from 'zod';
import { printable } from '../core/printable.ts';
import { api } from './schema/api.ts';
import { fileUplink } from './schema/file.ts';
import { http } from './schema/http.ts';
import { kafkaUplink } from './schema/kafka.ts';
import { COLLISION, collisions } from './schema/listener.ts';
import { mqtt } from './schema/mqtt.ts';
import { ANY_LIST, choice, count, duration, path, section, size, text } from './schema/options.ts';
import { serial } from './schema/serial.ts';

const GATEWAY_ID = { pattern: /^[A-Za-z0-9._-]{1,128}$/, rule: '1 to 128 characters of A-Z a-z 0-9 . _ -' };

const gateway = section({
  id: text(GATEWAY_ID).optional().meta({
    description:
      'Name of this gateway in keys, headers and topics. When left out: host name and 6 digits of the machine-id, fixed at the first start.',
    'x-type': GATEWAY_ID.rule,
    'x-sample': 'greenhouse-pi',
  }),
  dataDir: path().prefault('/var/lib/sluice').meta({
    description: 'Directory of everything that survives a restart. One gateway per directory.',
    'x-type': 'path',
  }),
});

const clock = section({
  waitForSync: duration(
    '30s',
    'Forwarding waits so long for the first time synchronisation after a start; records from before it then get their true times. 0s: not at all.',
    {
      min: '0s',
      max: '1d',
    },
  ),
});

const log = section({
  level: choice(['debug', 'info', 'warn', 'error'], 'info', 'Least important kind of log line that is written.'),
  format: choice(
    ['auto', 'json', 'pretty'],
    'auto',
    'JSON lines or lines for people. `auto`: for people on a terminal.',
  ),
});

const devices = section({
  max: count(10_000, 'Devices remembered and shown. Records of further ones are stored and forwarded all the same.', {
    min: 1,
    max: 1_000_000,
    unit: 'devices',
  }),
  maxMetrics: count(256, 'Metrics of one device whose newest value is kept.', { min: 1, max: 10_000, unit: 'metrics' }),
  maxMessageRate: count(
    0,
    'Messages per second of one device, from whatever source; over it it is slowed down, over HTTP told to wait. 0: no limit.',
    { min: 0, max: 1_000_000, unit: 'messages/s' },
  ),
  staleAfter: duration('10m', 'Age from which a newest value is shown as stale.', { min: '1s', max: '365d' }),
});

const buffer = section({
  maxBytes: size('2GiB', 'Limit of the buffer on disk.', { min: '1MiB', max: '16TiB' }),
  maxAge: duration('30d', 'Age at which records are removed, delivered or not; by which rules: docs/delivery.md.', {
    min: '1s',
    max: '3650d',
  }),
  keepFree: size('512MiB', 'Space of the file system that is left to others.', { min: '0B', max: '16TiB' }),
  whenFull: choice(
    ['drop_oldest', 'block'],
    'drop_oldest',
    'When a limit is met and nothing delivered is left to remove: drop the oldest records, counted and reported, or take nothing new.',
  ),
  highWater: count(
    80,
    'Part of the buffer that what waits for an uplink may take before devices are held to their share of the rest. 100: never.',
    { min: 1, max: 100, unit: '%' },
  ),
  shareWindow: duration('1h', 'Time over which it is measured how much a device sends.', { min: '1s', max: '7d' }),
  durability: choice(
    ['full', 'relaxed'],
    'full',
    '`full`: on disk before it is acknowledged. `relaxed`: faster, but a power cut may cost the last moments.',
  ),
  commitInterval: duration(
    '0ms',
    'Least time between two commits; spares a memory card, delays acknowledgements. 0ms: at once.',
    {
      min: '0ms',
      max: '10s',
    },
  ),
  cardEndurance: size(
    '0B',
    'Bytes that may be written to the memory card or disk in its life, as its maker says (TBW), to estimate how long it lasts. 0B: not known.',
    { min: '0B', max: '1000000TiB' },
  ),
});

/** One uplink, told apart by `type`. */
export const uplinkSchema = z.discriminatedUnion('type', [kafkaUplink, fileUplink]);

const uplinks = z
  .array(uplinkSchema)
  .max(32)
  .superRefine((list: readonly unknown[], context) => {
    const names = list.map(nameOf);
    for (const [index, name] of names.entries()) {
      if (name === undefined || names.indexOf(name) === index) continue;
      context.addIssue({
        code: 'custom',
        path: [index, 'name'],
        message: `"${printable(name)}" is the name of another uplink`,
      });
    }
  }, ANY_LIST)
  .prefault([])
  .meta({ description: 'Where records are forwarded to: none, one or several.' });

/** The list may hold anything: the check runs beside all others. */
function nameOf(uplink: unknown): string | undefined {
  if (typeof uplink !== 'object' || uplink === null || !('name' in uplink)) return undefined;
  return typeof uplink.name === 'string' ? uplink.name : undefined;
}

/** Every option there is. Input is what the YAML says; output has durations in milliseconds and sizes in bytes. */
export const configSchema = section({
  gateway: gateway.prefault({}).meta({ description: 'Who this gateway is, and where it keeps its data.' }),
  clock: clock.prefault({}).meta({ description: 'Time.' }),
  log: log.prefault({}).meta({ description: "The gateway's own log, on standard output." }),
  mqtt: mqtt.prefault({}).meta({ description: 'The MQTT broker that devices connect to.' }),
  serial,
  http: http.prefault({}).meta({ description: 'Records that come in over HTTP, at the addresses of `api`.' }),
  devices: devices.prefault({}).meta({ description: 'What is remembered of the devices.' }),
  buffer: buffer.prefault({}).meta({ description: 'The durable log on disk, and its limits.' }),
  uplinks,
  api: api.prefault({}).meta({ description: 'The REST API.' }),
}).superRefine(({ mqtt: { listeners }, api: { listeners: answering } }, context) => {
  for (const index of collisions([...listeners, ...answering])) {
    if (index < listeners.length) continue;
    context.addIssue({ code: 'custom', path: ['api', 'listeners', index - listeners.length], message: COLLISION });
  }
});

export type Options = z.output<typeof configSchema>;
export type UplinkOptions = z.output<typeof uplinkSchema>;
