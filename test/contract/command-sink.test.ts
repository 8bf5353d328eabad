import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PortOptions } from '../../src/sources/serial/options.ts';
import { SerialSource } from '../../src/sources/serial/serial-source.ts';
import { FakeIntake } from '../support/fake-intake.ts';
import { FakeSink } from '../support/fake-sink.ts';
import { MemoryLogger } from '../support/memory-logger.ts';
import { startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { PtyPair } from '../support/pty-pair.ts';
import { SerialDevice } from '../support/serial-device.ts';
import { waitFor } from '../support/wait-for.ts';
import { commandSinkContract } from './command-sink.suite.ts';

commandSinkContract('the fake', async () => {
  const sink = new FakeSink();
  const told: string[] = [];
  for (const device of ['pump', 'lamp']) sink.taken.add(device);
  return {
    sink,
    told,
    takes: true,
    connect: async (device) => {
      sink.reached.add(device);
      told.push(device);
    },
    disconnect: async (device) => void sink.reached.delete(device),
    received: async (device) =>
      sink.sent.filter((command) => command.device === device).map(({ requestId }) => requestId),
    answer: async (_device, requestId, answer) => sink.answerTo(requestId, answer),
    close: async () => undefined,
  };
});

commandSinkContract('MQTT', async () => {
  const told: (string | null)[] = [];
  const { source, port } = await startMqtt({ onReachable: (device) => told.push(device) });
  const clients = new Map<string, RawClient>();
  const clientOf = (device: string): RawClient => {
    const client = clients.get(device);
    if (client === undefined) throw new Error(`${device} is not connected`);
    return client;
  };
  return {
    sink: source.commands,
    told,
    takes: false,
    connect: async (device) => {
      const client = await RawClient.connected(port, { clientId: device, clean: false });
      clients.set(device, client);
      await client.subscribe([`devices/${device}/commands/+`, 1]);
    },
    disconnect: async (device) => {
      const client = clientOf(device);
      client.disconnect();
      await client.gone();
    },
    received: async (device) => {
      const client = clientOf(device);
      await client.quiet();
      const found = client
        .messages()
        .join('\n')
        .matchAll(/"request_id":"([^"]+)"/g);
      return [...found].map(([, requestId = '']) => requestId);
    },
    answer: async (device, requestId, answer) => {
      const topic = `devices/${device}/responses/${requestId}`;
      const client = clientOf(device);
      client.send(publishBytes({ topic, payload: JSON.stringify(answer), qos: 1, packetId: 1 }));
      await client.next('puback');
    },
    close: stopMqtt,
  };
});

/** The port that a device is plugged into. */
function portOf(name: string, path: string): PortOptions {
  return {
    name,
    path,
    line: { baudRate: 115_200, dataBits: 8, stopBits: 1, parity: 'none', flowControl: 'none' },
    lock: true,
    framing: { kind: 'lines', ending: 'lf', maxFrameBytes: 4_096 },
    silenceTimeout: 0,
    ack: (frame) => Buffer.from(`OK ${frame}\n`),
    frameWindow: 16,
    commands: [
      {
        name: 'open',
        write: { request_id: '{request_id}', params: '{params}' },
        encoding: 'text',
        response: { kind: 'field', field: 'request_id' },
      },
    ],
    readyAfterMs: 0,
    maxWaitingBytes: 65_536,
  };
}

/** A device at the other end of a port, which reads all that is written to it. */
class PluggedDevice {
  readonly requestIds: string[] = [];
  readonly pair: PtyPair;
  readonly #serial: SerialDevice;
  #number = 0;

  constructor(path: string) {
    this.pair = new PtyPair(path);
    this.#serial = new SerialDevice(this.pair.devicePath);
    this.#serial.answerTo = (line) => {
      if (line.startsWith('{')) this.requestIds.push(JSON.parse(line).request_id);
      return undefined;
    };
  }

  async plug(): Promise<void> {
    await this.pair.plug();
    await this.#serial.open();
  }

  async unplug(): Promise<void> {
    await this.#serial.close();
    await this.pair.unplug();
  }

  /** Whatever was written to it before it was acknowledged a frame has been read, and what it said before was heard. */
  async caughtUp(): Promise<void> {
    this.#number += 1;
    if (!(await this.#serial.deliver(this.#number))) throw new Error('a frame was not acknowledged');
  }

  async say(line: object): Promise<void> {
    await this.#serial.write(`${JSON.stringify(line)}\n`);
    await this.caughtUp();
  }

  async dispose(): Promise<void> {
    await this.#serial.close();
    await this.pair.dispose();
  }
}

commandSinkContract('serial ports', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-sink-'));
  const intake = new FakeIntake();
  intake.frameNumber = (payload) => JSON.parse(payload).n;
  const told: string[] = [];
  const devices = new Map(['pump', 'lamp'].map((name) => [name, new PluggedDevice(join(directory, name))] as const));
  const deviceOf = (name: string): PluggedDevice => {
    const device = devices.get(name);
    if (device === undefined) throw new Error(`there is no port of ${name}`);
    return device;
  };
  const source = new SerialSource({
    ports: [...devices].map(([name, { pair }]) => portOf(name, pair.path)),
    intake,
    speakers: { speaks: () => undefined, gone: () => undefined },
    onReachable: (device) => told.push(device),
    knownFrames: [],
    logger: new MemoryLogger(),
    repeats: { warn: () => undefined },
    now: Date.now,
  });
  await source.start();
  const portIs = (name: string, state: string) =>
    waitFor(() => source.ports().some((port) => port.name === name && port.state === state), {
      what: `the port of ${name} to be ${state}`,
      timeoutMs: 10_000,
    });
  return {
    sink: source.commands,
    told,
    takes: true,
    connect: async (name) => {
      await deviceOf(name).plug();
      await portIs(name, 'open');
    },
    disconnect: async (name) => {
      await deviceOf(name).unplug();
      await portIs(name, 'absent');
    },
    received: async (name) => {
      await deviceOf(name).caughtUp();
      return deviceOf(name).requestIds;
    },
    answer: (name, requestId, answer) => deviceOf(name).say({ request_id: requestId, ...answer }),
    close: async () => {
      await source.stop();
      for (const device of devices.values()) await device.dispose();
      rmSync(directory, { recursive: true });
    },
  };
});
