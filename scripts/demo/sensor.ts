/**
 * One simulated device over real MQTT: node scripts/demo/sensor.ts KIND BROKER_URL
 * The three kinds speak as three kinds of firmware do. Ends with the process that started it.
 */

import process from 'node:process';
import mqtt, { type MqttClient } from 'mqtt';
import { wander } from './wander.ts';

type Behaviour = (client: MqttClient) => void;

function publish(client: MqttClient, topic: string, value: unknown, qos: 0 | 1 | 2): void {
  // A client that cannot publish says so by its 'error' and 'close' events, and keeps the message.
  client.publish(topic, JSON.stringify(value), { qos }, () => {});
}

/** An ESP32 with a clock: a JSON object with its own time of observation, QoS 1. */
const greenhouse: Behaviour = (client) => {
  const temperature = wander(21, 0.6);
  const humidity = wander(55, 2);
  setInterval(() => {
    const sample = { temperature: temperature(), humidity: humidity(), ts: new Date().toISOString() };
    publish(client, 'devices/greenhouse/telemetry', sample, 1);
  }, 2000);
};

/** An ESP8266: one number per topic, QoS 0, no clock. */
const plant: Behaviour = (client) => {
  const moisture = wander(412, 15);
  const light = wander(640, 60);
  setInterval(() => {
    publish(client, 'devices/plant/telemetry/soil_moisture', Math.round(moisture()), 0);
    publish(client, 'devices/plant/telemetry/light', Math.round(light()), 0);
  }, 1000);
};

/** An energy meter: batches of ten samples, its state once, and an event now and then, QoS 1 and 2. */
const meter: Behaviour = (client) => {
  const power = wander(850, 200);
  let samples: { power_w: number; ts: number }[] = [];
  publish(client, 'devices/meter/state/reported', { firmware: '2.4.1', interval_s: 1 }, 1);
  setInterval(() => {
    samples.push({ power_w: Math.max(0, power()), ts: Date.now() });
    if (samples.length < 10) return;
    publish(client, 'devices/meter/telemetry', samples, 1);
    if (Math.random() < 0.2) publish(client, 'devices/meter/events/peak', { limit_w: 1000 }, 2);
    samples = [];
  }, 500);
};

const BEHAVIOURS: Readonly<Record<string, Behaviour>> = { greenhouse, plant, meter };

const [kind = '', url = 'mqtt://127.0.0.1:1883'] = process.argv.slice(2);
const behaviour = BEHAVIOURS[kind];
if (behaviour === undefined) {
  process.stderr.write(`sensor: unknown kind "${kind}": ${Object.keys(BEHAVIOURS).join(', ')}\n`);
  process.exit(2);
}
const client = mqtt.connect(url, { clientId: `demo-${kind}`, clean: true, reconnectPeriod: 1000 });
client.on('error', () => {});
client.once('connect', () => behaviour(client));
process.once('disconnect', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
