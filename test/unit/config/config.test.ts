import { describe, expect, it } from 'vitest';
import { configOf } from '../../support/config-text.ts';

describe('a configuration', () => {
  it.each(['', '\n# only a comment\n', '{}', 'gateway:\nmqtt:\nuplinks:\n', 'mqtt: { listeners: }'])(
    'has all defaults when it says %j',
    (text) => {
      expect(configOf(text).config).toEqual({
        gateway: { dataDir: '/var/lib/sluice' },
        clock: { waitForSync: 30_000 },
        log: { level: 'info', format: 'auto' },
        mqtt: {
          listeners: [{ host: '127.0.0.1', port: 1883, websocket: false, allowedOrigins: [], anonymous: true }],
          maxPacketSize: 262_144,
          maxPacketSizeBeforeConnect: 16_384,
          maxClients: 500,
          maxConnectRate: 100,
          maxPublishRate: 5000,
          maxQueuedMessages: 1000,
          maxQueuedBytes: 4_194_304,
          maxQueuedAge: 604_800_000,
          sessionExpiry: 2_592_000_000,
          maxTopicLevels: 16,
          drainTimeout: 10_000,
          connectTimeout: 10_000,
          routes: [],
          includeRoutes: [],
          zone: 'UTC',
          grants: [],
        },
        http: {
          storeTimeout: 10_000,
          maxWaiting: 8_388_608,
          idempotencyWindow: 86_400_000,
          maxIdempotencyKeys: 100_000,
        },
        devices: { max: 10_000, maxMessageRate: 0, maxMetrics: 256, staleAfter: 600_000 },
        buffer: {
          maxBytes: 2_147_483_648,
          maxAge: 2_592_000_000,
          keepFree: 536_870_912,
          highWater: 80,
          shareWindow: 3_600_000,
          whenFull: 'drop_oldest',
          durability: 'full',
          commitInterval: 0,
          cardEndurance: 0,
        },
        serial: [],
        uplinks: [],
        api: {
          listeners: [{ host: '127.0.0.1', port: 8080, anonymous: true }],
          allowedHosts: [],
          corsOrigins: [],
          maxRequestRate: 200,
          maxBodySize: 262_144,
        },
      });
    },
  );

  it('needs of a Kafka uplink only the brokers', () => {
    expect(configOf('uplinks: [ { brokers: [ "a:9092", "[::1]:9093" ] } ]').config.uplinks).toEqual([
      {
        name: 'kafka',
        type: 'kafka',
        brokers: ['a:9092', '[::1]:9093'],
        tls: false,
        sasl: false,
        client: 'kafkajs',
        clientId: 'sluice',
        streams: ['telemetry', 'events', 'state', 'responses', 'gaps'],
        from: 'oldest',
        delivery: 'at_least_once',
        order: 'strict',
        eventsLiveFirst: false,
        backlogShare: 0.5,
        maxBytesPerSecond: 0,
        maxBytesPerDay: 0,
        eventsOverBudget: false,
        compression: 'none',
        topics: {
          telemetry: 'sluice.{stream}',
          events: 'sluice.{stream}',
          state: 'sluice.{stream}',
          responses: 'sluice.{stream}',
          gaps: 'sluice.{stream}',
        },
        key: '{gateway}/{device}',
        typePrefix: 'sluice',
        timestamp: 'sent',
        envelope: 'binary',
        channelHeader: false,
        createTopics: false,
        batch: { maxRecords: 1000, maxBytes: 1_048_576, maxWait: 0 },
        backoff: { initial: 250, max: 30_000 },
        connectionTimeout: 10_000,
        requestTimeout: 30_000,
      },
    ]);
  });

  it('keeps a file uplink below the data directory unless it is told where', () => {
    const { config } = configOf(
      'gateway: { dataDir: data }\nuplinks: [ { type: file }, { type: file, name: usb, directory: ../out } ]',
    );
    expect(config.gateway.dataDir).toBe('/etc/sluice/data');
    expect(config.uplinks.map((uplink) => uplink.type === 'file' && uplink.directory)).toEqual([
      '/etc/sluice/data/uplink-file',
      '/etc/out',
    ]);
  });

  it('warns of routes that take the device from the payload where devices log in', () => {
    const mqtt = (anonymous: boolean) =>
      `mqtt: { listeners: [ { host: "::1", anonymous: ${anonymous} } ], routes: [ { topic: "a/#", format: senml, device: "{base}" } ] }`;
    expect(configOf(mqtt(true)).warnings).toEqual([]);
    expect(configOf(mqtt(false)).warnings).toEqual([
      expect.objectContaining({ path: 'mqtt.routes[0].device', message: expect.stringContaining('names any device') }),
    ]);
  });

  it('warns of grants to publish where only the broker speaks', () => {
    const grant = (device: string, ...topics: readonly string[]) =>
      configOf(
        `mqtt: { grants: [ { device: "${device}", publish: ${JSON.stringify(topics)}, subscribe: ["devices/+/status"] } ] }`,
      );
    const dead = [
      'devices/+/status',
      'devices/other/status',
      'devices/{device}/commands/stop',
      'devices/meter/state/delta',
    ];
    expect(grant('meter', 'devices/#', ...dead, 'devices/+/commands/stop', 'plant/status').warnings).toEqual(
      dead.map((_, index) =>
        expect.objectContaining({
          path: `mqtt.grants[0].publish[${index + 1}]`,
          message: 'never acts: there only the broker publishes',
        }),
      ),
    );
  });

  it('lets nobody in without a password on other addresses, unless it is written out', () => {
    const listeners =
      '[ { host: 0.0.0.0 }, { host: "::", port: 2, anonymous: true }, { host: "::1", port: 3 }, { host: localhost, port: 1, anonymous: false } ]';
    const { config, warnings } = configOf(`mqtt: { listeners: ${listeners} }`);
    expect(config.mqtt.listeners.map(({ anonymous }) => anonymous)).toEqual([false, true, true, false]);
    expect(warnings).toEqual([
      expect.objectContaining({
        path: 'mqtt.listeners[0].host',
        message: expect.stringContaining('can be read on the network'),
      }),
      expect.objectContaining({
        line: 1,
        path: 'mqtt.listeners[1].anonymous',
        message: expect.stringContaining('without a password'),
      }),
    ]);
  });

  it('asks for a token on other addresses, and says that it can be read on the network', () => {
    const listeners =
      '[ { host: 0.0.0.0 }, { host: "::1", port: 2 }, { port: 3, anonymous: false }, { host: 192.0.2.1, port: 4, tls: { certFile: a.pem, keyFile: /b.pem } } ]';
    const { config, warnings } = configOf(`api: { tokensFile: api-tokens, listeners: ${listeners} }`);
    expect(config.api.listeners.map(({ anonymous }) => anonymous)).toEqual([false, true, false, false]);
    expect(config.api.listeners[3]?.tls).toEqual({ certFile: '/etc/sluice/a.pem', keyFile: '/b.pem' });
    expect(config.api.tokensFile).toBe('/etc/sluice/api-tokens');
    expect(warnings).toEqual([
      expect.objectContaining({
        path: 'api.listeners[0].host',
        message: expect.stringContaining('can be read on the network'),
      }),
    ]);
  });

  it('lets nobody in without a certificate where one is required, and finds the files beside itself', () => {
    const files = 'certFile: server.pem, keyFile: /keys/server.pem';
    const listeners = `[ { tls: { ${files} } }, { port: 2, tls: { ${files}, caFile: ca.pem, requireClientCertificate: true } } ]`;
    expect(configOf(`mqtt: { listeners: ${listeners} }`).config.mqtt.listeners).toMatchObject([
      { anonymous: true, tls: { certFile: '/etc/sluice/server.pem', keyFile: '/keys/server.pem' } },
      { anonymous: false, tls: { caFile: '/etc/sluice/ca.pem', requireClientCertificate: true } },
    ]);
  });

  it('takes origins as browsers write them', () => {
    const origins = '[ "https://Panel.Example:443", "http://[::1]:3000" ]';
    const { config } = configOf(`mqtt: { listeners: [ { websocket: true, allowedOrigins: ${origins} } ] }`);
    expect(config.mqtt.listeners[0]?.allowedOrigins).toEqual(['https://panel.example', 'http://[::1]:3000']);
  });

  it.each([
    ['true', true],
    ['false', false],
    ['{}', { partitions: -1, replicationFactor: -1 }],
    ['{ partitions: 6, replicationFactor: 3 }', { partitions: 6, replicationFactor: 3 }],
  ])('takes createTopics: %s', (text, expected) => {
    expect(configOf(`uplinks: [ { brokers: [ "a:1" ], createTopics: ${text} } ]`).config.uplinks[0]).toMatchObject({
      createTopics: expected,
    });
  });

  it('takes numbers, flags, durations and choices from variables', () => {
    const text = `
mqtt: { listeners: [ { port: "\${PORT}", anonymous: "\${ANYBODY}" } ], drainTimeout: "\${DRAIN:-5s}" }
buffer:
  whenFull: \${FULL}
  maxBytes: \${SIZE}MiB
uplinks: [ { brokers: [ "\${HOST}:9092" ], createTopics: "\${CREATE}", key: "\${KEY:-{device}}" } ]`;
    const env = { PORT: '0', ANYBODY: 'false', FULL: 'block', SIZE: '64', HOST: 'plant', CREATE: 'true' };
    expect(configOf(text, env).config).toMatchObject({
      mqtt: { listeners: [{ port: 0, anonymous: false }], drainTimeout: 5000 },
      buffer: { whenFull: 'block', maxBytes: 67_108_864 },
      uplinks: [{ brokers: ['plant:9092'], createTopics: true }],
    });
  });

  it('keeps text that looks like a number as text when it comes from a variable', () => {
    expect(configOf(`gateway: { id: "\${ID}" }`, { ID: '007' }).config.gateway.id).toBe('007');
  });

  it('knows anchors and aliases', () => {
    const text =
      'uplinks:\n  - { name: a, type: file, batch: &b { maxRecords: 5 } }\n  - { name: b, type: file, batch: *b }';
    expect(configOf(text).config.uplinks.map(({ batch }) => batch.maxRecords)).toEqual([5, 5]);
  });
});
