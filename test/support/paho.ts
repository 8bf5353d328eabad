/** Paho's Python client, run by scripts of a few lines. */

import { startCommand } from './run-command.ts';

const PYTHON = '/usr/bin/python3';
const PRELUDE = `
import json, sys, threading, paho.mqtt.client as mqtt
try:
    from paho.mqtt.enums import CallbackAPIVersion
    def new(**options): return mqtt.Client(CallbackAPIVersion.VERSION1, **options)
except ImportError:
    def new(**options): return mqtt.Client(**options)
globals().update(json.loads(sys.argv[1]))
topic = 'devices/meter/telemetry'
def connected(client, port):
    ready, result = threading.Event(), []
    def on_connect(client, userdata, flags, code):
        result.extend([code, flags['session present']])
        ready.set()
    client.on_connect = on_connect
    client.connect('127.0.0.1', port)
    client.loop_start()
    assert ready.wait(10), 'no CONNACK'
    return result
def gathered(client, count):
    messages, complete = [], threading.Event()
    def on_message(client, userdata, message):
        messages.append((message.topic, message.payload.decode(), message.qos, message.retain))
        if len(messages) >= count: complete.set()
    client.on_message = on_message
    return messages, complete
def subscribed(client, *filters):
    done, codes = threading.Event(), []
    def on_subscribe(client, userdata, mid, granted):
        codes.extend(granted)
        done.set()
    client.on_subscribe = on_subscribe
    client.subscribe(list(filters))
    assert done.wait(10), 'no SUBACK'
    return codes
`;

/** What the script prints. `globals` are its variables. @throws Error with what Python says when it fails */
export async function paho(script: string, globals: Readonly<Record<string, unknown>>): Promise<string> {
  const args = ['-c', PRELUDE + script, JSON.stringify(globals)];
  const { code, stdout, stderr } = await startCommand(PYTHON, args, { debianPackage: 'python3-paho-mqtt' }).ended;
  if (code !== 0) throw new Error(stderr);
  return stdout.trim();
}
