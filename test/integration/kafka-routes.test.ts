import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import type { KafkaRecord } from '../support/kafka-reader.ts';
import { startCommand } from '../support/run-command.ts';
import { progress } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';

/** Unit and name for what the ready route of Tasmota would take as it is. */
const SENSOR = {
  topic: 'tele/+device/SENSOR',
  time: 'Time',
  metrics: {
    'AM2301.Temperature': { name: 'temperature', unit: '°C' },
    'AM2301.Humidity': 'humidity',
    TempUnit: false,
  },
};
const ZIGBEE = { topic: 'zigbee2mqtt/+device', device: 'zigbee-{device}', time: 'last_seen' };

describe('messages of foreign firmware in Kafka', { timeout: 60_000 }, () => {
  let kafka: Kafka;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(() => kafka.stop());
  afterEach(() => gateway.dispose());

  /** The ready routes, behind those that are given. */
  const config = (routes: readonly Readonly<Record<string, unknown>>[]): Readonly<Record<string, unknown>> => ({
    mqtt: {
      listeners: [{ host: '127.0.0.1', port: gateway.mqttPort }],
      zone: 'Europe/Berlin',
      includeRoutes: ['tasmota', 'zigbee2mqtt'],
      routes,
    },
    uplinks: [{ name: 'plant', type: 'kafka', brokers: [kafka.bootstrap], createTopics: true, channelHeader: true }],
  });

  async function publish(topic: string, payload: string): Promise<void> {
    const args = ['-h', '127.0.0.1', '-p', String(gateway.mqttPort), '-q', '1', '-t', topic, '-m', payload];
    const { code, stderr } = await startCommand('mosquitto_pub', args, { debianPackage: 'mosquitto-clients' }).ended;
    expect(code, stderr).toBe(0);
  }

  const drained = (count: number): Promise<unknown> =>
    waitFor(() => progress(gateway.dataDir).delivered === count, { what: `${count} records to go`, timeoutMs: 30_000 });

  const plain = ({ key, value, headers }: KafkaRecord): unknown => [
    key,
    headers['ce_type'],
    headers['ce_channel'],
    headers['content-type'],
    String(value),
  ];

  it('are in the topic that their route names, else in that of their stream, each under its device', async () => {
    gateway = await GatewayProcess.create();
    gateway.configure(
      config([
        { ...SENSOR, kafkaTopic: 'tasmota.{gateway}' },
        { ...ZIGBEE, kafkaTopic: 'zigbee.{stream}' },
      ]),
    );
    await gateway.start();
    await publish(
      'tele/TH16/SENSOR',
      '{"Time":"2026-07-01T12:00:00","AM2301":{"Temperature":22.6,"Humidity":32.4},"TempUnit":"C"}',
    );
    await publish('tele/TH16/LWT', 'Online');
    await publish('zigbee2mqtt/Küche Sensor', '{"battery":97,"temperature":21.8}');
    await publish('tele/TH16/STATE', '{"Time":"2026-07-01T12:00:05","POWER":"OFF","Wifi":{"RSSI":66}}');
    await publish('tele/TH16/SENSOR', '{"Time":"2026-07-01T12:05:00","AM2301":{"Temperature":22.8}}');
    await publish('zigbee2mqtt/bridge/event', '{"type":"device_announce"}');
    await publish('devices/TH16/telemetry', '{"own":1}');
    await drained(7);

    const tasmota = await kafka.topicRecords('tasmota.test-gateway');
    const [json, key] = ['application/json', 'test-gateway/TH16'];
    expect(tasmota.map(plain)).toEqual([
      [key, 'sluice.telemetry', 'tele/TH16/SENSOR', json, '{"temperature":22.6,"humidity":32.4}'],
      [key, 'sluice.telemetry', 'tele/TH16/SENSOR', json, '{"temperature":22.8}'],
    ]);
    expect(tasmota.map(({ headers }) => headers)).toMatchObject(
      ['2026-07-01T10:00:00.000Z', '2026-07-01T10:05:00.000Z'].map((time) => ({
        ce_specversion: '1.0',
        ce_id: expect.stringMatching(/^test-gateway:[0-9a-f]{16}:\d{20}$/),
        ce_source: '/gateways/test-gateway',
        ce_time: time,
        ce_recordedtime: expect.stringMatching(/Z$/),
      })),
    );
    expect((await kafka.topicRecords('zigbee.telemetry')).map(plain)).toEqual([
      [
        'test-gateway/zigbee-Kueche_Sensor',
        'sluice.telemetry',
        'zigbee2mqtt/Küche Sensor',
        json,
        '{"battery":97,"temperature":21.8}',
      ],
    ]);
    expect((await kafka.topicRecords('sluice.telemetry')).map(plain)).toEqual([
      [key, 'sluice.telemetry', 'tele/TH16/STATE', json, '{"POWER":"OFF","Wifi.RSSI":66}'],
      [key, 'sluice.telemetry', 'devices/TH16/telemetry', json, '{"own":1}'],
    ]);
    expect((await kafka.topicRecords('sluice.events')).map(plain)).toEqual([
      [key, 'sluice.events.lwt', 'tele/TH16/LWT', 'text/plain', 'Online'],
      [
        'test-gateway/zigbee2mqtt',
        'sluice.events.event',
        'zigbee2mqtt/bridge/event',
        json,
        '{"type":"device_announce"}',
      ],
    ]);
    expect(await gateway.get('/v1/devices/TH16/telemetry/latest')).toMatchObject({
      metrics: { temperature: { value: 22.8, unit: '°C' }, 'Wifi.RSSI': { value: 66 } },
    });
  });

  it('go where the routes lead now when they have waited', async () => {
    gateway = await GatewayProcess.create();
    gateway.configure(config([{ ...SENSOR, kafkaTopic: 'before' }]));
    await gateway.start();
    await fetch(`http://127.0.0.1:${gateway.apiPort}/v1/uplinks/plant/pause`, { method: 'POST' });
    await publish('tele/plug/SENSOR', '{"ENERGY":{"Total":13.7}}');
    await gateway.stop();
    gateway.configure(config([{ ...SENSOR, kafkaTopic: 'afterwards' }]));
    await gateway.start();
    await fetch(`http://127.0.0.1:${gateway.apiPort}/v1/uplinks/plant/resume`, { method: 'POST' });
    await drained(1);
    expect((await kafka.topicRecords('afterwards')).map(({ key }) => key)).toEqual(['test-gateway/plug']);
  });
});
