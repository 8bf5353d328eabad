import { z } from 'zod';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { sasl, tls } from './kafka-security.ts';
import { isHost } from './listener.ts';
import { choice, count, countAbout, duration, flag, flagAbout, section, text, wholeNumber } from './options.ts';
import { template } from './template.ts';
import { BATCH, BATCH_ABOUT, BATCH_RECORDS, commonOptions } from './uplink.ts';

const CLIENT_ID = { pattern: /^[\x20-\x7e]{1,255}$/, rule: '1 to 255 printable ASCII characters' };
const INSTANCE_ID = { pattern: /^[0-9a-f]{16}$/, rule: '16 hexadecimal digits' };
const BROKER = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/;

function isBroker(address: string): boolean {
  const [, bracketed, plain, port] = BROKER.exec(address) ?? [];
  return isHost(bracketed ?? plain ?? '') && Number(port) >= 1 && Number(port) <= 65_535;
}

const TOPIC = {
  known: ['gateway', 'stream'],
  literal: /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/,
  rule: 'a Kafka topic: 1 to 249 characters of A-Z a-z 0-9 . _ - and placeholders',
};
const KEY = {
  known: ['gateway', 'device', 'stream'],
  literal: /^[^\p{Cc}]{1,249}$/u,
  rule: '1 to 249 characters and placeholders',
};

/** Not of `{device}`, nor of what topics capture: nothing from the network may name a topic, nor make ever more of them. */
export function kafkaTopic() {
  return template(TOPIC);
}

export const KAFKA_TOPIC_TYPE = 'template of `{gateway}` `{stream}`';

function topic(stream: Stream) {
  return kafkaTopic()
    .prefault('sluice.{stream}')
    .meta({ description: `Kafka topic of the stream \`${stream}\`.`, 'x-type': KAFKA_TOPIC_TYPE });
}

const topics = section(
  Object.fromEntries(STREAMS.map((stream) => [stream, topic(stream)])) as Record<Stream, ReturnType<typeof topic>>,
)
  .prefault({})
  .meta({ description: 'Kafka topic of each stream. Several may share one.' });

const brokers = z
  .array(
    z.string({ error: 'must be text: host:port' }).refine(isBroker, 'must be host:port such as kafka.example.net:9092'),
    {
      error: ({ input }) =>
        input === undefined ? 'is required: a list such as [ "kafka.example.net:9092" ]' : undefined,
    },
  )
  .min(1)
  .max(64)
  .meta({
    description: 'Kafka brokers to begin with, `host:port`.',
    'x-type': 'list of `host:port`',
    'x-sample': ['kafka.example.net:9092'],
  });

const newTopic = section({
  partitions: count(-1, 'Partitions of a topic that is made; -1: what the broker has set.', {
    min: -1,
    max: 10_000,
    unit: 'partitions',
  }),
  replicationFactor: count(-1, 'Copies of a topic that is made; -1: what the broker has set.', {
    min: -1,
    max: 100,
    unit: 'copies',
  }),
});

const createTopics = z
  .union([flag(), newTopic], { error: 'must be true, false or a mapping of partitions and replicationFactor' })
  .prefault(false)
  .meta({
    description: 'Whether missing topics are made: `false`, `true`, or a mapping that says how.',
    'x-type': '`true`, `false` or a mapping',
  });

/** A transaction costs several requests, however much it carries. */
const DEFAULT_BATCH_RECORDS = { at_least_once: 1000, exactly_once: 2000 } as const;

const batch = section({
  ...BATCH,
  maxRecords: wholeNumber(BATCH_RECORDS)
    .optional()
    .meta({
      ...countAbout('Records sent at once. When left out: 1000, and 2000 with `exactly_once`.', BATCH_RECORDS),
      'x-sample': 1000,
    }),
})
  .prefault({})
  .meta(BATCH_ABOUT);

const { name, streams, from, typePrefix, ...common } = commonOptions('kafka');

export const kafkaUplink = section({
  name,
  type: z
    .literal('kafka')
    .optional()
    .prefault('kafka')
    .pipe(z.literal('kafka'))
    .meta({ description: 'The kind of uplink.', 'x-type': '`kafka`' }),
  brokers,
  tls,
  sasl,
  client: choice(
    ['kafkajs', 'platformatic'],
    'kafkajs',
    'The library that speaks to Kafka. `platformatic` is the optional package @platformatic/kafka.',
  ),
  clientId: text(CLIENT_ID)
    .prefault('sluice')
    .meta({ description: "Client id, as it stands in the brokers' logs and quotas.", 'x-type': CLIENT_ID.rule }),
  streams,
  from,
  delivery: choice(
    ['at_least_once', 'exactly_once'],
    'at_least_once',
    'Every record arrives; one that is sent again carries the same `ce_id`. `exactly_once`: batches are transactions, and readers of `read_committed` see each record once.',
  ),
  replaces: text(INSTANCE_ID).optional().meta({
    description:
      'Only with `exactly_once`: instance id of a gateway that is gone for good, whose name at Kafka this one takes over.',
    'x-type': INSTANCE_ID.rule,
    'x-sample': '3f9a0c5be1d27746',
  }),
  compression: choice(['none', 'gzip', 'zstd'], 'none', 'Compression of what is sent.'),
  topics,
  key: template(KEY).prefault('{gateway}/{device}').meta({
    description: 'Key of each Kafka record. It decides the partition, and so whose order is kept.',
    'x-type': 'template of `{gateway}` `{device}` `{stream}`',
  }),
  typePrefix,
  timestamp: choice(
    ['sent', 'observed'],
    'sent',
    "The Kafka record's own timestamp. `observed` is the device's time: old records may meet the topic's retention at once.",
  ),
  envelope: choice(
    ['binary', 'structured'],
    'binary',
    'CloudEvents in headers, or the whole record as one CloudEvents JSON document.',
  ),
  channelHeader: flag().prefault(false).meta(flagAbout('Whether the header `ce_channel` names the MQTT topic.')),
  createTopics,
  ...common,
  batch,
  connectionTimeout: duration('10s', 'Time for a connection to a broker.', { min: '100ms', max: '10m' }),
  requestTimeout: duration('30s', 'Time for an answer; after it the connection is thought dead.', {
    min: '100ms',
    max: '10m',
  }),
})
  .transform(({ batch: { maxRecords, ...limits }, delivery, ...rest }) => ({
    ...rest,
    delivery,
    batch: { ...limits, maxRecords: maxRecords ?? DEFAULT_BATCH_RECORDS[delivery] },
  }))
  .meta({ title: 'kafka', description: 'An uplink to Apache Kafka.' });
