/**
 * The control of the crash test of serial ports, imported into a gateway before it starts: a frame is acknowledged on the
 * wire when it is heard, as a sketch's "OK" mostly means, and stored a little later. Kills must then lose acknowledged frames.
 */

import { Buffer } from 'node:buffer';
import type { PortSession } from '../../../src/sources/serial/port-session.ts';
import { Receiver } from '../../../src/sources/serial/receiver.ts';

/** So long that each kill comes in between for some frame. */
const STORED_AFTER_MS = 300;

const { frame } = Receiver.prototype;

Receiver.prototype.frame = function acknowledgeFrame(this: Receiver, payload: Buffer, session: PortSession): void {
  const { n } = JSON.parse(payload.toString()) as { n: number };
  session.answer(Buffer.from(`OK ${n}\n`));
  setTimeout(() => frame.call(this, payload, session), STORED_AFTER_MS);
};
