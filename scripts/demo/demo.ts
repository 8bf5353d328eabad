/**
 * Stands beside the gateway in scripts/start: waits until it is ready, says what to try, and runs the simulated
 * sensors and the Arduino until the gateway, which is its parent, is gone.
 * node scripts/demo/demo.ts GATEWAY_PID STARTED_AT_MS, with the variables of config/demo.yaml set
 */

import { fork } from 'node:child_process';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

const { SLUICE_DEMO_DIR = '', SLUICE_DEMO_MQTT_PORT = '', SLUICE_DEMO_API_PORT = '' } = process.env;
const API = `http://127.0.0.1:${SLUICE_DEMO_API_PORT}`;
const SENSORS = ['greenhouse', 'plant', 'meter'];

const [gatewayPid = 0, startedAt = 0] = process.argv.slice(2).map(Number);

async function isReady(): Promise<boolean> {
  try {
    const response = await fetch(`${API}/health/ready`, { signal: AbortSignal.timeout(1000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

function welcome(readyMs: number): string {
  const port = SLUICE_DEMO_MQTT_PORT === '1883' ? '' : ` -p ${SLUICE_DEMO_MQTT_PORT}`;
  return `
Sluice was ready after ${(readyMs / 1000).toFixed(2)} s. Three simulated sensors publish to it, and a
simulated Arduino speaks on a serial port, whose cable is pulled now and then. Try in a second terminal:

  publish        mosquitto_pub${port} -q 1 -t devices/kitchen/telemetry -m '{"temperature":21.5}'
  ask            curl -s ${API}/v1/devices/kitchen/telemetry/latest
  look           scripts/sluice status --config config/demo.yaml
  serial ports   curl -s ${API}/v1/serial/ports
  command        curl -s -H 'content-type: application/json' -d '{"params":{"on":true}}' '${API}/v1/devices/arduino-1/commands/led?wait=5s'
  upstream       tail -F ${SLUICE_DEMO_DIR}/upstream/*/*.ndjson

mosquitto_pub comes with 'sudo apt install mosquitto-clients'. Ctrl-C stops everything.

`;
}

// When the gateway ends, however it ends, the kernel gives this process another parent.
setInterval(() => {
  if (process.ppid !== gatewayPid) process.exit(0);
}, 50);
// Ctrl-C reaches the whole group: the gateway stops in order, and this process follows it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});

while (!(await isReady())) await delay(10);
process.stdout.write(welcome(Date.now() - startedAt));
for (const kind of SENSORS)
  fork(`${import.meta.dirname}/sensor.ts`, [kind, `mqtt://127.0.0.1:${SLUICE_DEMO_MQTT_PORT}`]);
fork(`${import.meta.dirname}/arduino.ts`, [`${SLUICE_DEMO_DIR}/ttyArduino`]);
