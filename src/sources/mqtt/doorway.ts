import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connackPacket, REFUSED } from './connect-packet.ts';

export interface DoorwayOptions {
  readonly maxClients: number;
  /** Time to get from TCP to where MQTT begins: for the handshake of TLS and that of WebSocket together. */
  readonly timeoutMs: number;
  readonly onFull: (address: string) => void;
  /** A connection that had entered is closed. */
  readonly onLeft: () => void;
}

interface Waiting {
  readonly socket: Socket;
  readonly timer: NodeJS.Timeout;
}

/** Connections that wait for their refusal; what comes on top is closed at once. */
const MAX_REFUSALS = 64;
const REFUSAL_MS = 1_000;

/** Bounds what is connected, from the first moment on: half of a handshake takes a place like a client. */
export class Doorway {
  readonly #options: DoorwayOptions;
  readonly #waiting = new Map<string, Waiting>();
  #openCount = 0;
  #refusedCount = 0;

  constructor(options: DoorwayOptions) {
    this.#options = options;
  }

  /** Connections that have entered and are open. */
  get openCount(): number {
    return this.#openCount;
  }

  /** False when there is no place, not even for a refusal: the socket is closed. */
  enter(socket: Socket): boolean {
    const { maxClients, timeoutMs, onFull } = this.#options;
    if (this.#openCount >= maxClients + MAX_REFUSALS) {
      onFull(addressOf(socket));
      socket.destroy();
      return false;
    }
    this.#openCount += 1;
    const peer = peerOf(socket);
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    this.#waiting.set(peer, { socket, timer });
    socket.once('close', () => {
      this.#openCount -= 1;
      this.#passed(peer);
      this.#options.onLeft();
    });
    return true;
  }

  /** MQTT begins. `socket`: the one that entered, or TLS upon it. False when there is no place: `refuse` it. */
  pass(socket: Socket): boolean {
    this.#passed(peerOf(socket));
    const { maxClients, onFull } = this.#options;
    if (this.#openCount - this.#refusedCount <= maxClients) return true;
    onFull(addressOf(socket));
    return false;
  }

  /** A client that sends something is told; whatever it sent, it gets the answer to a CONNECT. */
  refuse(socket: Duplex): void {
    if (this.#refusedCount >= MAX_REFUSALS) {
      socket.destroy();
      return;
    }
    this.#refusedCount += 1;
    const timer = setTimeout(() => socket.destroy(), REFUSAL_MS);
    socket.once('data', () => socket.end(connackPacket(REFUSED.unavailable)));
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(timer);
      this.#refusedCount -= 1;
    });
  }

  /** Closes what has not got as far as MQTT. */
  stop(): void {
    for (const { socket } of this.#waiting.values()) socket.destroy();
  }

  #passed(peer: string): void {
    clearTimeout(this.#waiting.get(peer)?.timer);
    this.#waiting.delete(peer);
  }
}

export function addressOf(socket: Socket): string {
  return socket.remoteAddress ?? 'unknown';
}

/** The same for a socket and for TLS upon it; of two that are open, never the same. */
function peerOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}
