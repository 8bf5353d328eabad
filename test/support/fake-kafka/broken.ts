import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { framed, int32 } from './codec.ts';

/** How an answer of any kind is spoilt. */
export const BREAKAGES = ['hang', 'half', 'garbage', 'huge', 'endless', 'cut'] as const;
export type Breakage = (typeof BREAKAGES)[number];

const HUGE = 0x7fff_fff0;
const CHUNK = Buffer.alloc(65_536, 0xa5);
/** What a peer sends at most that would send for ever. */
const FLOOD_BYTES = 1 << 29;

export interface SpoiltAnswer {
  readonly how: Breakage;
  /** As it would be sent. */
  readonly whole: Buffer;
  readonly correlation: Buffer;
  /** Told of what was sent of an answer without an end. */
  readonly onFlood: (bytes: number) => void;
}

export function sendSpoilt(socket: Socket, { how, whole, correlation, onFlood }: SpoiltAnswer): void {
  switch (how) {
    case 'hang':
      break;
    case 'half':
      socket.end(whole.subarray(0, whole.byteLength >> 1));
      break;
    case 'garbage':
      socket.write(framed(correlation, CHUNK.subarray(0, 64)));
      break;
    case 'huge':
      socket.write(Buffer.concat([int32(HUGE), correlation, CHUNK.subarray(0, 1_024)]));
      break;
    case 'endless':
      socket.write(Buffer.concat([int32(HUGE), correlation]));
      flood(socket, onFlood);
      break;
    case 'cut':
      socket.resetAndDestroy();
      break;
  }
}

/** As fast as the other side reads. */
function flood(socket: Socket, onFlood: (bytes: number) => void): void {
  let sentBytes = 0;
  const send = (): void => {
    while (sentBytes < FLOOD_BYTES && socket.writable) {
      sentBytes += CHUNK.byteLength;
      onFlood(CHUNK.byteLength);
      if (!socket.write(CHUNK)) return;
    }
  };
  socket.on('drain', send);
  send();
}
