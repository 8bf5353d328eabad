/** Packets that were right once: the seeds that are mutated, and how. */

import { Buffer } from 'node:buffer';
import {
  ackBytes,
  connectBytes,
  packet,
  publishBytes,
  subscribeBytes,
  unsubscribeBytes,
} from '../../support/mqtt-raw-client.ts';
import type { SeededRandom } from '../../support/random.ts';

/** Brought parsers down. */
export const CRASH_PACKET = Buffer.from('101000044d5154540502003c0321001400006202d301e0020020', 'hex');

const TOPIC = 'devices/mutant/telemetry';
const WILL = { topic: 'devices/mutant/events/gone', payload: 'x' } as const;

export const SEEDS: readonly Buffer[] = [
  CRASH_PACKET,
  connectBytes({ clientId: 'mutant' }),
  connectBytes({ clientId: 'mutant', clean: false, keepAliveS: 5, will: { ...WILL, qos: 1, retain: true } }),
  connectBytes({ clientId: 'mutant', username: 'mutant', password: 'secret', protocol: 'MQIsdp', level: 3 }),
  publishBytes({ topic: TOPIC, payload: '{"temperature":21.5}' }),
  publishBytes({ topic: TOPIC, payload: '[{"temperature":21.5},{"temperature":22}]', qos: 1, packetId: 7 }),
  publishBytes({ topic: `${TOPIC}/humidity`, payload: '55', qos: 2, packetId: 8, dup: true }),
  publishBytes({ topic: 'devices/mutant/state/reported', payload: '{"on":null}', qos: 1, packetId: 9, retain: true }),
  subscribeBytes(1, [
    ['devices/+/telemetry', 1],
    ['a/#', 2],
  ]),
  unsubscribeBytes(2, ['a/#', 'devices/+/telemetry']),
  ...(['puback', 'pubrec', 'pubrel', 'pubcomp'] as const).map((type) => ackBytes(type, 8)),
  packet(0xc0),
  packet(0xe0),
];

type Mutation = (bytes: Buffer, random: SeededRandom) => Buffer;

const at = (bytes: Buffer, random: SeededRandom): number => random.between(0, Math.max(bytes.length - 1, 0));
const noise = (random: SeededRandom, max: number): Buffer =>
  Buffer.from(Array.from({ length: random.between(1, max) }, () => random.between(0, 255)));
const joined = (...parts: readonly Buffer[]): Buffer => Buffer.concat(parts);

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => with8(bytes, at(bytes, random), (byte) => byte ^ (1 << random.between(0, 7))),
  (bytes, random) => with8(bytes, at(bytes, random), () => random.between(0, 255)),
  // Where lengths and flags are.
  (bytes, random) => with8(bytes, random.between(0, 3), () => random.between(0, 255)),
  (bytes, random) => bytes.subarray(0, at(bytes, random)),
  (bytes, random) => bytes.subarray(at(bytes, random)),
  (bytes, random) => {
    const place = at(bytes, random);
    return joined(bytes.subarray(0, place), noise(random, 8), bytes.subarray(place));
  },
  (bytes, random) => {
    const place = at(bytes, random);
    return joined(bytes.subarray(0, place), bytes.subarray(place - (place % 4), place), bytes.subarray(place));
  },
  (bytes, random) => joined(bytes, pick(SEEDS, random)),
  // A right header about something else.
  (bytes, random) => packet(random.between(0, 255), bytes.subarray(2)),
];

/** One packet that is nearly right; for the same state of `random` always the same. */
export function mutant(random: SeededRandom): Buffer {
  let bytes = Buffer.from(pick(SEEDS, random));
  for (let count = random.between(0, 3); count > 0; count -= 1)
    bytes = Buffer.from(pick(MUTATIONS, random)(bytes, random));
  return bytes;
}

export function pick<Value>(values: readonly Value[], random: SeededRandom): Value {
  return values[random.between(0, values.length - 1)] as Value;
}

function with8(bytes: Buffer, place: number, change: (byte: number) => number): Buffer {
  const byte = bytes[place];
  if (byte !== undefined) bytes[place] = change(byte) & 255;
  return bytes;
}
