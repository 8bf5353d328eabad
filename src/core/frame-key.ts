import { crc32 } from 'node:zlib';
import type { Handshake } from './record.ts';

/** No MQTT client may have a control character in its id, so no key is one of an exchange. */
const KEY = '\u0001frame/';

/** A frame of a serial port that has a number. */
export interface NumberedFrame {
  readonly number: number;
  /** Stored in the commit of what the frame becomes: a frame of the same number and the same bytes repeats it. */
  readonly key: Handshake;
}

/** `channel`: of the port. */
export function numberedFrame(channel: string, number: number, payload: Uint8Array): NumberedFrame {
  // A sketch that begins to count anew has other values to tell. 0 would stand for all keys of a name.
  const packetId = (crc32(payload) >>> 1) + 1;
  return { number, key: { clientId: `${KEY}${channel}/${number}`, packetId } };
}

/** The channel of the port whose frame the key stands for; undefined for any other handshake. */
export function channelOfKey({ clientId }: Handshake): string | undefined {
  return clientId.startsWith(KEY) ? clientId.slice(KEY.length, clientId.lastIndexOf('/')) : undefined;
}
