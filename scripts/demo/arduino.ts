/**
 * A simulated Arduino at the other end of a serial line: node scripts/demo/arduino.ts PORT
 * Numbers each line of JSON, and sends it until the gateway answers `OK {number}`. Now and then its cable is pulled; it has
 * a battery, and sends later what it measured meanwhile. It has a lamp. Ends with the process that started it.
 */

import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { SerialLine } from './serial-line.ts';
import { wander } from './wander.ts';

const MEASURE_MS = 1_000;
const SEND_MS = 250;
/** Lines that it sends before the oldest of them is answered. */
const AHEAD = 8;
/** What its memory holds. */
const MAX_KEPT = 60;
const FIRST_PULL_MS = 10_000;
const PULL_MS = 60_000;
const PULLED_MS = 3_000;

const [port = ''] = process.argv.slice(2);
const temperature = wander(24, 0.8);
const light = wander(640, 60);
/** By number. */
const unanswered = new Map<number, string>();
// Of 16 bits; begins anywhere, so that it is not taken for what was sent before a reset.
let number = Math.floor(Math.random() * 65_536);

function measure(): void {
  number = (number + 1) % 65_536;
  const metrics = { n: number, temperature: temperature(), light: Math.round(light()) };
  unanswered.set(number, JSON.stringify(metrics));
  const [oldest = number] = unanswered.keys();
  if (unanswered.size > MAX_KEPT) unanswered.delete(oldest);
}

/** `OK 17`: what has the number 17 is on disk. `LED true`: switch the lamp on the board, and say so. */
function hear(text: string): void {
  const [word, value = ''] = text.split(' ');
  if (word === 'OK') unanswered.delete(Number(value));
  if (word === 'LED') line.write(`LED ${value === 'true'}`);
}

const line = new SerialLine(port, hear);

function send(): void {
  for (const text of [...unanswered.values()].slice(0, AHEAD)) line.write(text);
}

process.once('exit', () => line.unplug());
process.once('disconnect', () => process.exit(0));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));

line.plug();
setInterval(measure, MEASURE_MS);
setInterval(send, SEND_MS);
for (let pluggedMs = FIRST_PULL_MS; ; pluggedMs = PULL_MS) {
  await delay(pluggedMs);
  line.unplug();
  await delay(PULLED_MS);
  line.plug();
}
